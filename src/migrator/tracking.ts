import type { ReadOnly } from '../core/error-messages.ts'
import { sqlStateOf } from '../core/errors.ts'
import { readOnlySql } from '../database/read-only-sql.ts'
import { isCitusSql } from '../database/topology.ts'
import type { Session } from '../database/session.ts'
import { literal } from '../core/sql.ts'
import { READ_COMMITTED } from '../database/transaction.ts'
import { isRace, sqlState } from '../database/sqlstate.ts'
import { readDistrust, type Distrust } from '../database/table-trust.ts'
import { assertDecisive, missingOf, missingTables, presenceSql, type Presence } from './present-tables.ts'
import { trackingTable, type MigrationTables, type UsableTables } from './settings.ts'
import { assertReadable } from './trust.ts'

/** The operations of a run on each table, here and in lock/. */
export const neededPrivileges = {
  migrations: ['select', 'insert', 'delete'],
  lock: ['select', 'insert', 'update', 'delete'],
  runs: ['select', 'insert', 'update'],
} as const satisfies Record<keyof MigrationTables, readonly string[]>

/** A migration that Knex's table lists as applied. */
export interface AppliedMigration {
  readonly name: string
  readonly batch: number
  /** When, as ISO 8601; null if the row has no time. */
  readonly at: string | null
}

/** The state of the tables before a run. */
export interface Tracking {
  readonly applied: readonly AppliedMigration[]
  /** The tables that do not exist. */
  readonly missing: readonly (keyof MigrationTables)[]
  /** The tables that must be neither believed nor written. */
  readonly distrusted: readonly Distrust[]
  /** The table of runs, if it is one of them: a run works without it. */
  readonly untrustedRuns: Distrust | null
  /** Whether runs were recorded here in a table that is trusted. */
  readonly hasRuns: boolean
  /** Whether a run can store notes. A table of runs from an earlier release cannot hold them. */
  readonly hasNotes: boolean
  /** The server's description of itself. */
  readonly server: string
  /** Whether the database is a node of a Citus cluster. */
  readonly isCitus: boolean
  /** Why nothing can be written; null if it can. */
  readonly readOnly: ReadOnly | null
}

/**
 * Reads the applied migrations without changing anything. The tables need not exist.
 *
 * @throws {PgvectorMigrationError} TABLE_NOT_TRUSTED
 */
export async function readApplied(session: Session, tables: MigrationTables): Promise<readonly AppliedMigration[]> {
  const tracking = await readTracking(session, tables)
  assertDecisive(tracking)
  return tracking.applied
}

/** Reads the same from tables that may not be trusted, with everything else that determines how a run begins. */
export async function readTracking(session: Session, tables: MigrationTables): Promise<Tracking> {
  const { oids, doubtful, ...seen } = await session.ask<
    Presence & Pick<Tracking, 'hasNotes' | 'server' | 'readOnly' | 'isCitus'>
  >(`select json_build_object(${presenceSql(tables)}, 'hasNotes', ${hasNotesSql(tables.runs)},
      'server', version(), 'readOnly', ${readOnlySql}, 'isCitus', ${isCitusSql}) as state`)
  const distrusted = await readDistrust(session, doubtful)
  assertReadable(distrusted.filter(({ oid }) => oid === oids.migrations))
  const applied = (oids.migrations ?? null) === null ? [] : await readExisting(session, tables)
  const untrustedRuns = distrusted.find(({ oid }) => oid === oids.runs) ?? null
  const hasRuns = (oids.runs ?? null) !== null && untrustedRuns === null
  return { ...seen, distrusted, untrustedRuns, missing: missingOf(oids), hasRuns, applied }
}

function hasNotesSql(runs: string): string {
  return `exists (select from pg_catalog.pg_attribute where attrelid = ${trackingTable(runs)} and attname = 'notes')`
}

/** Whether the table of runs has a column for notes. */
export async function readHasNotes(session: Session, runs: string): Promise<boolean> {
  return session.ask<boolean>(`select to_json(${hasNotesSql(runs)}) as state`)
}

/**
 * Adds the column for notes to an older table of runs. Returns false if this role may not, or if another session is
 * using the table; the run then continues without notes.
 */
export async function addNotes(session: Session, { runs }: UsableTables): Promise<boolean> {
  if (runs === null) return false
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

/** Reads the applied migrations from tables that are known to exist. */
export async function readExisting(session: Session, tables: MigrationTables): Promise<AppliedMigration[]> {
  return session.askAsCaller<AppliedMigration[]>(appliedSql(tables))
}

/** Returns the query of {@link readExisting}, so that a statement can be sent before it. */
export function appliedSql({ migrations }: Pick<MigrationTables, 'migrations'>): string {
  return `
    select coalesce(pg_catalog.json_agg(
      pg_catalog.json_build_object('name', name, 'batch', batch, 'at', migration_time) order by id), '[]') as state
    from ${migrations}`
}

// Stock Knex creates its two tables one after the other, so a run may lose the race more than once.
const MOST_RACES = 5

/**
 * Creates missing tables: Knex's two, exactly as Knex creates them, and our table of runs.
 *
 * Several runs on an empty database may create them at the same moment. A run that loses the race looks again at what
 * exists now, which any role may have created. Tables in `missing` are known to be missing, and are not looked up
 * first.
 *
 * @throws {PgvectorMigrationError} TABLE_NOT_TRUSTED
 */
export async function createTables(
  session: Session,
  tables: UsableTables,
  missing?: readonly (keyof MigrationTables)[],
): Promise<void> {
  for (let races = 1; ; races++) {
    const create = (on: Session): Promise<void> =>
      missing !== undefined && races === 1 ? sendTables(on, tables, missing) : createMissingTables(on, tables)
    try {
      // A lost race must not abort a caller's transaction.
      await (session.isInTransaction ? session.transaction(create) : create(session))
      return
    } catch (error) {
      if (races === MOST_RACES || !isRace(error)) throw error
    }
  }
}

/** Does the same in one attempt, for a transaction that a lost race aborts. */
export async function createMissingTables(session: Session, tables: UsableTables): Promise<void> {
  await sendTables(session, tables, await missingTables(session, tables))
}

async function sendTables(
  session: Session,
  tables: UsableTables,
  missing: readonly (keyof MigrationTables)[],
): Promise<void> {
  if (missing.length === 0) return
  const statements = tableStatements(tables, 'create table')
  const wanted = Object.entries(statements).flatMap(([name, each]) =>
    (missing as readonly string[]).includes(name) ? each : [],
  )
  await session.send([...(session.isInTransaction ? [] : [READ_COMMITTED]), ...wanted].join(';\n'))
}

/** Returns the statements that create each table. An existing table is an error, unless the statements tolerate it. */
export function tableStatements(
  tables: UsableTables,
  create: 'create table' | 'create table if not exists',
): Readonly<Record<keyof MigrationTables, readonly string[]>> {
  return {
    migrations: [
      `${create} ${tables.migrations} (
        id serial primary key, name varchar(255), batch integer, migration_time timestamp with time zone)`,
    ],
    lock: [
      `${create} ${tables.lock} (index serial primary key, is_locked integer)`,
      `insert into ${tables.lock} (is_locked) select 0 where not exists (select from ${tables.lock})`,
    ],
    runs:
      tables.runs === null
        ? []
        : [
            `${create} ${tables.runs} (
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
          ],
  }
}

/** Returns the number of the next batch, as Knex counts them. */
export function batchAfter(applied: readonly AppliedMigration[]): number {
  return Math.max(0, ...applied.map(({ batch }) => batch)) + 1
}

/** Reads the same number from the database. */
export async function nextBatch(session: Session, tables: MigrationTables): Promise<number> {
  return session.askAsCaller<number>(`
    select pg_catalog.to_json(coalesce(pg_catalog.max(batch), 0) operator(pg_catalog.+) 1) as state
    from ${tables.migrations}`)
}

/**
 * Records a migration as applied, or deletes its record, only while the lock is held. Returns false if the lock is
 * lost.
 *
 * It is sent in the migration's own transaction, so that the record and the changes are committed together. Without the
 * condition it is a plain statement, because a later record of the transaction checks the condition.
 */
export async function record(
  session: Session,
  tables: MigrationTables,
  change:
    | { readonly direction: 'up'; readonly name: string; readonly batch: number }
    | { readonly direction: 'down'; readonly name: string },
  isLockHeld: string | null,
): Promise<boolean> {
  const name = literal(change.name)
  if (isLockHeld === null) {
    const plain =
      change.direction === 'up'
        ? `insert into ${tables.migrations} (name, batch, migration_time) values (${name}, ${change.batch}, pg_catalog.now())`
        : `delete from ${tables.migrations} where name operator(pg_catalog.=) ${name}`
    await session.askAsCaller(`${plain} returning null as state`)
    return true
  }
  const statement =
    change.direction === 'up'
      ? `insert into ${tables.migrations} (name, batch, migration_time) select ${name}, ${change.batch}, pg_catalog.now() where ${isLockHeld} returning 1`
      : `delete from ${tables.migrations} where name operator(pg_catalog.=) ${name} and ${isLockHeld} returning 1`
  return session.askAsCaller<boolean>(
    `with changed as (${statement}) select pg_catalog.to_json(exists (select from changed)) as state`,
  )
}
