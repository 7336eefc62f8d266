import type { Session } from '../database/session.ts'
import type { Direction } from './events.ts'
import { listMigrations } from './files/list.ts'
import { assertFilesExist, selectDown, selectUp, type DownSelection, type UpSelection } from './select.ts'
import type { MigrationSettings } from './settings.ts'
import { readApplied } from './tracking.ts'

/** One migration, and whether it was applied. */
export interface MigrationStatus {
  readonly name: string
  /** `missing`: applied, and its file is gone. */
  readonly state: 'applied' | 'pending' | 'missing'
  readonly batch: number | null
  /** When it was applied, as ISO 8601. */
  readonly at: string | null
}

/**
 * Every migration with its state, in the order of their names, or that of the source where it has one of its own; reads
 * only, and needs no table to exist.
 */
export async function statusOf(session: Session, settings: MigrationSettings): Promise<MigrationStatus[]> {
  const [{ names }, applied] = await Promise.all([listMigrations(settings), readApplied(session, settings.tables)])
  const done = new Map(applied.map((row) => [row.name, row]))
  const missing = applied.filter(({ name }) => !names.includes(name)).map(({ name }) => name)
  const isByName = names.every((name, index) => index === 0 || (names[index - 1] ?? '') <= name)
  const all = isByName ? [...names, ...missing].toSorted() : [...missing, ...names]
  return all.map((name) => {
    const row = done.get(name)
    if (row === undefined) return { name, state: 'pending', batch: null, at: null }
    return { name, state: names.includes(name) ? 'applied' : 'missing', batch: row.batch, at: row.at }
  })
}

/** The names of what a run would do, in its order. */
export async function preview(
  session: Session,
  settings: MigrationSettings,
  direction: Direction,
  selection: UpSelection & DownSelection,
): Promise<readonly string[]> {
  const [{ names }, applied] = await Promise.all([listMigrations(settings), readApplied(session, settings.tables)])
  assertFilesExist(names, applied)
  return direction === 'up' ? selectUp(names, applied, selection) : selectDown(names, applied, selection)
}
