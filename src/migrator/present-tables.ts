import type { Session } from '../database/session.ts'
import { doubtfulSql, readDistrust, type Distrust } from '../database/table-trust.ts'
import { trackingTable, type MigrationTables, type UsableTables } from './settings.ts'
import { assertTrusted, unnotedWarning } from './trust.ts'

/** Which of the tables another role controls. */
interface Trust {
  /** The tables that must be neither believed nor written. */
  readonly distrusted: readonly Distrust[]
  /** The table of runs, if it is one of them: a run works without it. */
  readonly untrustedRuns: Distrust | null
}

/** Which of the tables exist. */
export interface Presence {
  readonly oids: Readonly<Partial<Record<keyof MigrationTables, number | null>>>
  /** The tables that are not obviously trusted. */
  readonly doubtful: readonly number[]
}

/** Returns SQL for the pairs of a json object that is a {@link Presence}. */
export function presenceSql(tables: UsableTables): string {
  const known = Object.entries(tables).flatMap(([name, table]) =>
    table === null ? [] : { name, oid: trackingTable(table) },
  )
  const oids = known.map(({ oid }) => oid)
  const pairs = known.map(({ name, oid }) => `'${name}', ${oid}::oid::bigint`)
  return `'oids', json_build_object(${pairs.join(', ')}), 'doubtful', ${doubtfulSql(oids)}`
}

export function missingOf(oids: Presence['oids']): readonly (keyof MigrationTables)[] {
  return (['migrations', 'lock', 'runs'] as const).filter((name) => oids[name] === null)
}

/**
 * Refuses to decide by tables that are not trusted, except the table of runs, without which a run can work.
 *
 * @throws {PgvectorMigrationError} TABLE_NOT_TRUSTED
 */
export function assertDecisive({ distrusted, untrustedRuns }: Trust): void {
  assertTrusted(distrusted.filter((each) => each !== untrustedRuns))
}

/**
 * Returns the tables that do not exist, after checking that the others are trusted.
 *
 * @throws {PgvectorMigrationError} TABLE_NOT_TRUSTED
 */
export async function missingTables(
  session: Session,
  tables: UsableTables,
): Promise<readonly (keyof MigrationTables)[]> {
  const { oids, doubtful } = await session.ask<Presence>(`select json_build_object(${presenceSql(tables)}) as state`)
  assertTrusted(await readDistrust(session, doubtful))
  return missingOf(oids)
}

/** The tables that a run may use, those of them that do not exist, and warnings for the user. */
export interface Usable {
  readonly tables: UsableTables
  readonly missing: readonly (keyof MigrationTables)[]
  readonly warnings: readonly string[]
}

/**
 * Reads which tables exist. The table of runs is not used if it is not trusted.
 *
 * @throws {PgvectorMigrationError} TABLE_NOT_TRUSTED
 */
export async function readUsable(session: Session, tables: MigrationTables): Promise<Usable> {
  const { oids, doubtful } = await session.ask<Presence>(`select json_build_object(${presenceSql(tables)}) as state`)
  const distrusted = await readDistrust(session, doubtful)
  const untrustedRuns = distrusted.find(({ oid }) => oid === oids.runs) ?? null
  assertDecisive({ distrusted, untrustedRuns })
  return { ...usableOf(tables, untrustedRuns), missing: missingOf(oids) }
}

/** Returns the same if the table of runs was just checked. */
export function usableOf(tables: MigrationTables, untrustedRuns: Distrust | null): Omit<Usable, 'missing'> {
  if (untrustedRuns === null) return { tables, warnings: [] }
  return { tables: { ...tables, runs: null }, warnings: [unnotedWarning(untrustedRuns)] }
}
