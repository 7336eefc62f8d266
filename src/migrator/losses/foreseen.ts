import { withTarget } from '../../database/target.ts'
import type { Session } from '../../database/session.ts'
import type { RunOptions } from '../events.ts'
import { interrupted } from '../run/interrupted.ts'
import { lostBetween, readTables, type LostPart, type StoredTable } from './catalog.ts'
import type { LoadedMigration, MigrationFiles } from '../files/list.ts'
import { readOrigin } from '../replay/origin.ts'
import { replayApplied, replayEvents } from '../replay/applied.ts'
import { openReplay, runDown, type Replay } from '../replay/replay.ts'
import type { MigrationSettings } from '../settings.ts'
import { createTables } from '../tracking.ts'

/**
 * The predicted losses of each migration, by name. A migration that could not be rolled back on the copy either has no
 * entry.
 */
export type PredictedLosses = ReadonlyMap<string, readonly LostPart[]>

/**
 * Predicts what rolling back migrations would lose, if that cannot be tried. It uses an embedded copy on which the
 * applied migrations were replayed, which lacks objects that were created by hand.
 *
 * @param names From the newest that is rolled back to the oldest, without a gap.
 * @throws {PgvectorMigrationError} PLAN_FAILED, EMBEDDED_NOT_INSTALLED or MIGRATION_INTERRUPTED.
 */
export async function predictLosses(
  db: Session,
  settings: MigrationSettings,
  files: MigrationFiles,
  names: readonly string[],
  { signal, onEvent }: Pick<RunOptions, 'signal' | 'onEvent'>,
): Promise<PredictedLosses> {
  const origin = await readOrigin(db, settings.tables)
  const stored = await readTables(db)
  const replay = await openReplay(db, origin.surroundings)
  try {
    return await withTarget(origin.pgvector, async () => {
      await createTables(replay.session, settings.tables)
      await replayApplied(replay, settings.tables, files, origin.applied, replayEvents(origin.applied.length, onEvent))
      return await rollBackAll(replay, await Promise.all(names.map((name) => files.load(name))), stored, signal)
    })
  } finally {
    await replay.close()
  }
}

async function rollBackAll(
  replay: Replay,
  migrations: readonly LoadedMigration[],
  stored: readonly StoredTable[],
  signal: AbortSignal | undefined,
): Promise<PredictedLosses> {
  const foreseen = new Map<string, readonly LostPart[]>()
  const first = await readTables(replay.session)
  let before = first
  for (const migration of migrations) {
    if (signal?.aborted === true) throw interrupted(null, signal)
    await replay.reset()
    const isRolledBack = await runDown(replay.session, migration).then(
      () => migration.module.down !== undefined,
      () => false,
    )
    if (!isRolledBack) break
    const after = await readTables(replay.session)
    foreseen.set(migration.name, toStored(lostBetween(before, after), first, stored))
    before = after
  }
  return foreseen
}

// A migration that was rolled back before may have renamed objects, which still have their original names in the
// database.
function toStored(
  parts: readonly LostPart[],
  first: readonly StoredTable[],
  stored: readonly StoredTable[],
): readonly LostPart[] {
  const copies = new Map(first.map((table) => [table.oid, table]))
  const originals = new Map(stored.map((table) => [table.name, table]))
  return parts.flatMap(({ table: { oid }, isWhole, columns }): readonly LostPart[] => {
    const copy = copies.get(oid)
    const table = originals.get(copy?.name ?? '')
    if (copy === undefined || table === undefined) return []
    if (isWhole) return [{ table, isWhole, columns: table.columns.filter(({ isVector }) => isVector) }]
    const numbers = new Set(columns.map(({ number }) => number))
    const names = new Set(copy.columns.filter(({ number }) => numbers.has(number)).map(({ name }) => name))
    return [{ table, isWhole, columns: table.columns.filter(({ name }) => names.has(name)) }]
  })
}
