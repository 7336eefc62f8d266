import type { ReadOnlyReason } from '../core/error-messages.ts'
import { sqlStateOf } from '../core/errors.ts'
import { readOnlySql } from '../database/server-facts.ts'
import type { Session } from '../database/session.ts'
import { literal } from '../core/sql.ts'
import { READ_COMMITTED } from '../database/transaction.ts'
import { isRace, sqlState } from '../database/sqlstate.ts'
import { trackingTable, type MigrationTables } from './settings.ts'

/** What a run does with each table, here and in lock/. */
export const neededPrivileges = {
  migrations: ['select', 'insert', 'delete'],
  lock: ['select', 'insert', 'update', 'delete'],
  runs: ['select', 'insert', 'update'],
} as const satisfies Record<keyof MigrationTables, readonly string[]>

/** A migration that Knex's table says was applied. */
export interface AppliedMigration {
  readonly name: string
  readonly batch: number
  /** When, as ISO 8601; null where the row has no time. */
  readonly at: string | null
}

/** What there is before a run. */
export interface Tracking {
  readonly applied: readonly AppliedMigration[]
  /** Whether none of the tables is missing. */
  readonly isComplete: boolean
  /** Whether runs were ever noted here. */
  readonly hasRuns: boolean
  /** Whether a run can keep notes of what it did: a table of runs that was made before that cannot. */
  readonly hasNotes: boolean
  /** As the server describes itself. */
  readonly server: string
  /** Why nothing can be written; null where it can. */
  readonly readOnly: ReadOnlyReason | null
}

/** What the tables say, read without changing anything: they need not exist. */
export async function readApplied(session: Session, tables: MigrationTables): Promise<readonly AppliedMigration[]> {
  return (await readTracking(session, tables)).applied
}

/** The same, with what else decides how a run begins. */
export async function readTracking(session: Session, tables: MigrationTables): Promise<Tracking> {
  const { hasMigrations, ...seen } = await session.ask<
    Omit<Tracking, 'applied'> & { readonly hasMigrations: boolean }
  >(`select json_build_object('hasMigrations', ${trackingTable(tables.migrations)} is not null,
      'hasRuns', ${trackingTable(tables.runs)} is not null, 'hasNotes', ${haveNotes(tables)}, 'isComplete', not (${areMissing(tables)}),
      'server', version(), 'readOnly', ${readOnlySql}) as state`)
  return { ...seen, applied: hasMigrations ? await readExisting(session, tables) : [] }
}

function areMissing(tables: MigrationTables): string {
  const names = Object.values(tables).map(trackingTable)
  return `num_nulls(${names.join(', ')}) > 0`
}

function haveNotes({ runs }: MigrationTables): string {
  return `exists (select from pg_catalog.pg_attribute where attrelid = ${trackingTable(runs)} and attname = 'notes')`
}

/** Whether the table of runs has a place for notes. */
export async function readHasNotes(session: Session, tables: MigrationTables): Promise<boolean> {
  return session.ask<boolean>(`select to_json(${haveNotes(tables)}) as state`)
}

/**
 * Gives a table of runs that was made before a place for notes; false where this role may not, or somebody else is using
 * it: the run then goes without.
 */
export async function addNotes(session: Session, { runs }: MigrationTables): Promise<boolean> {
  try {
    await session.transaction(async (trx) => {
      if (!session.isInTransaction) await trx.send(`set local lock_timeout = '1s'`)
      await trx.send(`alter table ${runs} add column if not exists notes pg_catalog.jsonb`)
    })
    return true
  } catch (error) {
    const state = sqlStateOf(error)
    if (state !== sqlState.insufficientPrivilege && state !== sqlState.lockNotAvailable) throw error
    return false
  }
}

/** The same of tables that are known to exist. */
export async function readExisting(session: Session, tables: MigrationTables): Promise<AppliedMigration[]> {
  return session.askAsCaller<AppliedMigration[]>(appliedSql(tables))
}

/** The query of {@link readExisting}, for a statement that belongs before it. */
export function appliedSql({ migrations }: MigrationTables): string {
  return `
    select coalesce(pg_catalog.json_agg(
      pg_catalog.json_build_object('name', name, 'batch', batch, 'at', migration_time) order by id), '[]') as state
    from ${migrations}`
}

// Stock Knex makes its two tables one after the other, so a run may lose against it more than once.
const MOST_RACES = 5

/**
 * Makes the tables where they are missing: two exactly as Knex makes them, and our notes on runs.
 *
 * Runs on an empty database make them at the same moment; whoever loses finds them made. That some are missing may have
 * been seen just now, and is not asked again then.
 */
export async function createTables(session: Session, tables: MigrationTables, seenMissing = false): Promise<void> {
  for (let races = 1; ; races++) {
    try {
      await (seenMissing && races === 1 ? sendTables(session, tables) : createMissingTables(session, tables))
      return
    } catch (error) {
      if (races === MOST_RACES || !isRace(error)) throw error
    }
  }
}

/** The same in one attempt, for a transaction that a lost race ends. */
export async function createMissingTables(session: Session, tables: MigrationTables): Promise<void> {
  if (await session.ask<boolean>(`select to_json(${areMissing(tables)}) as state`)) await sendTables(session, tables)
}

async function sendTables(session: Session, tables: MigrationTables): Promise<void> {
  await session.send(
    [
      ...(session.isInTransaction ? [] : [READ_COMMITTED]),
      `create table if not exists ${tables.migrations} (
        id serial primary key, name varchar(255), batch integer, migration_time timestamp with time zone)`,
      `create table if not exists ${tables.lock} (index serial primary key, is_locked integer)`,
      `insert into ${tables.lock} (is_locked) select 0 where not exists (select from ${tables.lock})`,
      `create table if not exists ${tables.runs} (
        id bigint generated always as identity primary key,
        command pg_catalog.text not null,
        started_at timestamp with time zone not null default pg_catalog.clock_timestamp(),
        ended_at timestamp with time zone,
        outcome pg_catalog.text,
        host pg_catalog.text not null,
        process_id integer not null,
        operating_system_user pg_catalog.text,
        role pg_catalog.text not null default current_user,
        lock_xmin pg_catalog.text not null,
        notes pg_catalog.jsonb)`,
      `comment on table ${tables.runs} is 'Who ran migrations, when, and how it ended (knex-pgvector)'`,
    ].join(';\n'),
  )
}

/** The number that the next batch gets, as Knex counts them. */
export function batchAfter(applied: readonly AppliedMigration[]): number {
  return Math.max(0, ...applied.map(({ batch }) => batch)) + 1
}

/** The same, asked of the database. */
export async function nextBatch(session: Session, tables: MigrationTables): Promise<number> {
  return session.askAsCaller<number>(`
    select pg_catalog.to_json(coalesce(pg_catalog.max(batch), 0) operator(pg_catalog.+) 1) as state
    from ${tables.migrations}`)
}

/**
 * Records a migration as applied, or takes its record away, only while the lock is held; false where it is lost.
 *
 * Sent in the migration's own transaction, so that the record and the work are there together or not at all.
 */
export async function record(
  session: Session,
  tables: MigrationTables,
  change:
    | { readonly direction: 'up'; readonly name: string; readonly batch: number }
    | { readonly direction: 'down'; readonly name: string },
  isLockHeld: string,
): Promise<boolean> {
  const name = literal(change.name)
  const statement =
    change.direction === 'up'
      ? `insert into ${tables.migrations} (name, batch, migration_time) select ${name}, ${change.batch}, pg_catalog.now() where ${isLockHeld} returning 1`
      : `delete from ${tables.migrations} where name operator(pg_catalog.=) ${name} and ${isLockHeld} returning 1`
  return session.askAsCaller<boolean>(
    `with changed as (${statement}) select pg_catalog.to_json(exists (select from changed)) as state`,
  )
}
