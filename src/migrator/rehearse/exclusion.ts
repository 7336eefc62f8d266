import { waitOf } from '../../core/durations.ts'
import { setTimeout as sleep } from 'node:timers/promises'

import { PgvectorMigrationError, sqlStateOf, type LockHolder } from '../../core/errors.ts'
import type { Deadlines } from '../../database/deadlines.ts'
import { watchConnection } from '../../database/lost-connection.ts'
import type { Session } from '../../database/session.ts'
import { isRace, sqlState } from '../../database/sqlstate.ts'
import type { RunOptions } from '../events.ts'
import { interrupted } from '../run/interrupted.ts'
import { withRunLock, type RunLock, type RunLockOptions } from '../lock/run-lock.ts'
import { connectionSql, runConnection, type ConnectionFacts } from '../run/connection.ts'
import type { MigrationTables, UsableTables } from '../settings.ts'
import { readUsable } from '../present-tables.ts'
import { createMissingTables } from '../tracking.ts'

/** Keeps other runs out during a rehearsal. */
export interface Exclusion extends Omit<RunLock, 'applied'> {
  /** Warnings about how others are excluded. */
  readonly warnings: readonly string[]
  /** To be called first in the transaction of the rehearsal. */
  enter(trx: Session): Promise<void>
}

/** How to keep other runs out, and how long to wait for them. */
export interface ExclusionOptions
  extends Pick<RunOptions, 'wait' | 'signal' | 'onEvent'>, Pick<RunLockOptions, 'hasFailed' | 'place'> {
  readonly command: string
  readonly deadlines: Deadlines
  readonly isSingle: boolean
}

const POLL_MILLISECONDS = 100

/**
 * Runs work while other runs are kept out: under the lock of a run, or without leaving a trace if some of its tables do
 * not exist.
 *
 * @throws {PgvectorMigrationError} MIGRATIONS_LOCKED or MIGRATION_INTERRUPTED.
 */
export async function withOthersExcluded<Result>(
  session: Session,
  tables: MigrationTables,
  options: ExclusionOptions,
  work: (exclusion: Exclusion) => Promise<Result>,
): Promise<Result> {
  const { onEvent } = options
  const wait = waitOf(options.wait)
  const { tables: usable, missing, warnings } = await readUsable(session, tables)
  if (missing.length > 0) return withoutTrace(session, usable, warnings, !missing.includes('lock'), options, work)
  const lockOptions = {
    ...options,
    missing,
    wait,
    onWait: (holder: LockHolder | null) => onEvent?.({ type: 'waiting', holder }),
    onRecover: (holder: LockHolder | null) => onEvent?.({ type: 'recovered', holder }),
    // The findings remain valid, and the next run frees the lock.
    onKept: () => undefined,
  }
  return withRunLock(session, usable, lockOptions, (lock) =>
    work({ ...lock, warnings, enter: () => Promise.resolve() }),
  )
}

/**
 * Creates the missing tables in the transaction that is rolled back. Another run must create them too, so it waits. If
 * stock Knex's lock table exists, its row is locked, which keeps out stock Knex and our own runs.
 *
 * It waits for a current run before that transaction begins, because CREATE INDEX CONCURRENTLY might wait for the
 * transaction to end.
 */
async function withoutTrace<Result>(
  session: Session,
  tables: UsableTables,
  warnings: readonly string[],
  hasLock: boolean,
  options: ExclusionOptions,
  work: (exclusion: Exclusion) => Promise<Result>,
): Promise<Result> {
  const { isSingle, place, signal, onEvent } = options
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
  const enter = async (trx: Session): Promise<void> => {
    await createMissingTables(trx, tables).catch((error: unknown) => {
      throw isRace(error) || sqlStateOf(error) === sqlState.lockNotAvailable ? locked() : error
    })
    if (!isSingle) await until(() => lockFreeRow(trx, tables))
  }
  if (hasLock && !isSingle) await until(() => isFree(session, tables))
  return session.hold(async (held) => {
    const facts = await held.session.ask<ConnectionFacts>(`select ${connectionSql} as state`)
    const { lost, stop } = watchConnection(held.connection)
    const topology = isSingle ? 'single' : 'pooled'
    try {
      return await work({
        isHeld: 'true',
        lost,
        warnings,
        connection: runConnection(session, held, facts, { topology, lost, place }),
        enter,
      })
    } finally {
      stop()
    }
  })
}

async function isFree(session: Session, { lock }: UsableTables): Promise<boolean> {
  return session.askAsCaller<boolean>(
    `select pg_catalog.to_json(not exists (select from ${lock} where is_locked operator(pg_catalog.=) 1)) as state`,
  )
}

async function lockFreeRow(trx: Session, tables: UsableTables): Promise<boolean> {
  return trx.askAsCaller<boolean>(`with free as (
      select from ${tables.lock} where is_locked operator(pg_catalog.=) 0 limit 1 for update skip locked
    )
    select pg_catalog.to_json(exists (select from free)) as state`)
}
