import { waitOf } from '../../core/durations.ts'
import { setTimeout as sleep } from 'node:timers/promises'

import { PgvectorMigrationError, sqlStateOf } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import { isRace, sqlState } from '../../database/sqlstate.ts'
import type { RunOptions } from '../events.ts'
import { interrupted } from '../run/interrupted.ts'
import { takeLease, type Lease } from '../lock/lease.ts'
import { trackingTable, type MigrationTables } from '../settings.ts'
import { createMissingTables } from '../tracking.ts'

/** What keeps others from migrating while something is rehearsed. */
export interface Exclusion extends Omit<Lease, 'applied'> {
  /** To be called first in the transaction of the rehearsal. */
  enter(trx: Session): Promise<void>
}

/** How to keep others out, and how long to wait for them. */
export interface ExclusionOptions extends Pick<RunOptions, 'wait' | 'signal' | 'onEvent'> {
  readonly command: string
  readonly isSingle: boolean
}

const POLL_MILLISECONDS = 100

/**
 * Keeps others out: with a lease, as every run does, or without a trace where the tables of a lease are not all there.
 *
 * @throws {PgvectorMigrationError} MIGRATIONS_LOCKED or MIGRATION_INTERRUPTED.
 */
export async function excludeOthers(
  session: Session,
  tables: MigrationTables,
  options: ExclusionOptions,
): Promise<Exclusion> {
  const { signal, onEvent } = options
  const wait = waitOf(options.wait)
  const present = await session.ask<
    Record<'all' | 'lock', boolean>
  >(`select json_build_object('all', num_nulls(${Object.values(tables).map(trackingTable).join(', ')}) = 0,
      'lock', ${trackingTable(tables.lock)} is not null) as state`)
  if (!present.all) return withoutTrace(session, tables, present.lock, options)
  const lease = await takeLease(session, tables, {
    ...options,
    wait,
    onWait: (holder) => onEvent?.({ type: 'waiting', holder }),
    onRecover: (holder) => onEvent?.({ type: 'recovered', holder }),
  }).catch((error: unknown) => {
    throw signal?.aborted === true ? interrupted(null, signal) : error
  })
  return { ...lease, enter: () => Promise.resolve() }
}

/**
 * Makes the missing tables in the transaction that is rolled back: whoever wants to migrate must make them too, and
 * waits for it. Where stock Knex's lock exists, its row is locked, which keeps stock Knex and runs of ours out.
 *
 * Somebody who migrates is waited for before that transaction, as CREATE INDEX CONCURRENTLY might wait for its end.
 */
async function withoutTrace(
  session: Session,
  tables: MigrationTables,
  hasLock: boolean,
  options: ExclusionOptions,
): Promise<Exclusion> {
  const { isSingle, signal, onEvent } = options
  const wait = waitOf(options.wait)
  const deadline = Date.now() + wait
  const locked = (): PgvectorMigrationError =>
    new PgvectorMigrationError('MIGRATIONS_LOCKED', { holder: null, milliseconds: wait })
  let hasWaited = false
  const until = async (condition: () => Promise<boolean>): Promise<void> => {
    while (!(await condition())) {
      if (!hasWaited) onEvent?.({ type: 'waiting', holder: null })
      hasWaited = true
      if (Date.now() >= deadline) throw locked()
      if (signal?.aborted === true) throw interrupted(null, signal)
      await sleep(POLL_MILLISECONDS)
    }
  }
  if (hasLock && !isSingle) await until(() => isFree(session, tables))
  return {
    isHeld: 'true',
    cancel: (processId) => session.send(`select pg_catalog.pg_cancel_backend(${processId})`),
    release: () => Promise.resolve(),
    enter: async (trx) => {
      await createMissingTables(trx, tables).catch((error: unknown) => {
        throw isRace(error) || sqlStateOf(error) === sqlState.lockNotAvailable ? locked() : error
      })
      if (!isSingle) await until(() => lockFreeRow(trx, tables))
    },
  }
}

async function isFree(session: Session, { lock }: MigrationTables): Promise<boolean> {
  return session.askAsCaller<boolean>(
    `select pg_catalog.to_json(not exists (select from ${lock} where is_locked operator(pg_catalog.=) 1)) as state`,
  )
}

async function lockFreeRow(trx: Session, tables: MigrationTables): Promise<boolean> {
  return trx.askAsCaller<boolean>(`with free as (
      select from ${tables.lock} where is_locked operator(pg_catalog.=) 0 limit 1 for update skip locked
    )
    select pg_catalog.to_json(exists (select from free)) as state`)
}
