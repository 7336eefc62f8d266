import type { Knex } from 'knex'

import { lint, type LintOptions, type LintResult } from '../../src/lint.ts'
import { createMigrator, type Migrator, type Rehearsal } from '../../src/migrator.ts'

/** What a migration does: a statement, or a function. */
export type Step = string | ((knex: Knex) => Promise<unknown>)

export interface TestMigration {
  readonly name: string
  readonly up: Step
  readonly down?: Step
  readonly transaction?: boolean
}

/** Migrations in memory, so that a test says what they do. */
export function source(...migrations: readonly TestMigration[]): Knex.MigrationSource<TestMigration> {
  const run = async (step: Step, knex: Knex): Promise<void> => {
    await (typeof step === 'string' ? knex.raw(step) : step(knex))
  }
  return {
    getMigrations: () => Promise.resolve([...migrations]),
    getMigrationName: ({ name }) => name,
    getMigration: ({ up, down = 'select 1', transaction }) =>
      Promise.resolve({
        up: (knex: Knex) => run(up, knex),
        down: (knex: Knex) => run(down, knex),
        ...(transaction === undefined ? {} : { config: { transaction } }),
      }),
  }
}

/** A migrator that has applied the first of these, and has the others to do. */
export async function migratorOf(
  knex: Knex,
  applied: readonly TestMigration[],
  ...pending: readonly TestMigration[]
): Promise<Migrator> {
  await applyMigrations(knex, ...applied)
  return createMigrator(knex, { migrationSource: source(...applied, ...pending) })
}

/** The linter of the second ones of these, where the first are applied. */
export async function linterOf(
  knex: Knex,
  applied: readonly TestMigration[],
  ...pending: readonly TestMigration[]
): Promise<(options?: LintOptions) => Promise<LintResult>> {
  await applyMigrations(knex, ...applied)
  return (options) => lint(knex, { ...options, migrationSource: source(...applied, ...pending) })
}

export async function applyMigrations(knex: Knex, ...migrations: readonly TestMigration[]): Promise<void> {
  if (migrations.length > 0) await createMigrator(knex, { migrationSource: source(...migrations) }).up()
}

/** The migration that most tests begin with: a table with two rows, and its sequence. */
export const items: TestMigration = {
  name: '001_items',
  up: `create table items (id serial primary key, title text); insert into items (title) values ('a'), ('b')`,
}

/** What became of each migration of a rehearsal. */
export const states = ({ migrations }: Rehearsal): string[] => migrations.map(({ name, state }) => `${name} ${state}`)
