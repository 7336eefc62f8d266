import type { Knex } from 'knex'

import { optionsParser, required, valueKind } from '../core/option-kinds.ts'
import { sessionOf } from '../database/session.ts'
import type { Operation } from './operation.ts'

/** The statements of a {@link RunSql}. */
export interface RunSqlOptions {
  /** Sent by `up` unchanged. Write it so that it can run again: create table if not exists … */
  readonly up: string
  /** Sent by `down` unchanged. */
  readonly down: string
}

const statements = required(valueKind<string>((value) => typeof value === 'string', 'must be SQL as a text'))
const parseStatements = optionsParser({ up: statements, down: statements })

/**
 * Runs your own statements between the other operations, for example to create a table or a function. Both directions
 * run in one transaction.
 *
 * @example
 * ```ts
 * new RunSql({
 *   up: 'create table if not exists documents (id bigint primary key, body text not null)',
 *   down: 'drop table if exists documents',
 * })
 * ```
 */
export class RunSql implements Operation {
  readonly description = 'run SQL'
  readonly transaction = true
  readonly #options: RunSqlOptions

  constructor(options: RunSqlOptions) {
    this.#options = parseStatements(options)
  }

  async up(knex: Knex): Promise<void> {
    await sendUnchanged(knex, this.#options.up)
  }

  async down(knex: Knex): Promise<void> {
    await sendUnchanged(knex, this.#options.down)
  }
}

async function sendUnchanged(knex: Knex, sql: string): Promise<void> {
  await sessionOf(knex).transaction((trx) => trx.send(sql))
}
