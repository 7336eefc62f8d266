import { optionsParser, valueKind } from '../core/option-kinds.ts'
import { isLogger, type Logger } from '../core/options.ts'
import { loggerFrom } from '../database/logger.ts'
import type { Session } from '../database/session.ts'
import type { Direction } from './events.ts'
import { listMigrations } from './files/list.ts'
import { assertFilesExist, outOfOrder, selectDown, selectUp, type DownSelection, type UpSelection } from './select.ts'
import type { MigrationSettings } from './settings.ts'
import { readApplied, readTracking } from './tracking.ts'
import { trustWarnings } from './trust.ts'

/** A migration, and whether it was applied. */
export interface MigrationStatus {
  readonly name: string
  /** `missing`: the migration was applied, but its file does not exist. */
  readonly state: 'applied' | 'pending' | 'missing'
  readonly batch: number | null
  /** When it was applied, as ISO 8601. */
  readonly at: string | null
  /** Whether it is pending and sorts before an applied migration. A new database would run them in another order. */
  readonly isOutOfOrder: boolean
}

/** Options of functions that only read. */
export interface ReadOptions {
  /** Where warnings go; default: the console. `false` silences them. */
  readonly logger?: Logger | false | undefined
}

/** @internal */
export const readKinds = {
  logger: valueKind<Logger | false>(isLogger, 'must be false or have the methods info and warn'),
}

/** @internal */
export const parseReadOptions = optionsParser(readKinds)

/**
 * Returns every migration with its state, ordered by name, or in the order of a custom source. It only reads, and the
 * tables need not exist. If another role controls a table, its rows are returned with a warning.
 *
 * @throws {PgvectorMigrationError} TABLE_NOT_TRUSTED if reading it could run that role's code.
 */
export async function statusOf(
  session: Session,
  settings: MigrationSettings,
  { logger }: ReadOptions = {},
): Promise<MigrationStatus[]> {
  const [{ names }, tracking] = await Promise.all([listMigrations(settings), readTracking(session, settings.tables)])
  const { applied, distrusted } = tracking
  for (const warning of trustWarnings(distrusted)) loggerFrom(logger).warn(warning)
  const done = new Map(applied.map((row) => [row.name, row]))
  const missing = applied.map(({ name }) => name).filter((name) => !names.includes(name))
  const isByName = names.every((name, index) => index === 0 || (names[index - 1] ?? '') <= name)
  const all = isByName ? [...names, ...missing].toSorted() : [...missing, ...names]
  const late = new Set(outOfOrder(all, new Set(done.keys())).names)
  const known = new Set(names)
  return all.map((name) => {
    const row = done.get(name)
    if (row === undefined) return { name, state: 'pending', batch: null, at: null, isOutOfOrder: late.has(name) }
    return { name, state: known.has(name) ? 'applied' : 'missing', batch: row.batch, at: row.at, isOutOfOrder: false }
  })
}

/** Returns the names of the migrations that a run would apply or roll back, in order. */
export async function preview(
  session: Session,
  settings: MigrationSettings,
  direction: Direction,
  selection: UpSelection & DownSelection,
): Promise<readonly string[]> {
  const [files, applied] = await Promise.all([listMigrations(settings), readApplied(session, settings.tables)])
  assertFilesExist(files, applied)
  return direction === 'up' ? selectUp(files.names, applied, selection) : selectDown(files, applied, selection)
}
