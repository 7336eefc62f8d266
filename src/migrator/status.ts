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

/** One migration, and whether it was applied. */
export interface MigrationStatus {
  readonly name: string
  /** `missing`: applied, and its file is gone. */
  readonly state: 'applied' | 'pending' | 'missing'
  readonly batch: number | null
  /** When it was applied, as ISO 8601. */
  readonly at: string | null
  /** Whether it is pending and comes before one that was applied: a new database would run it in another order. */
  readonly isOutOfOrder: boolean
}

/** What those that only read can be told. */
export interface ReadOptions {
  /** Where warnings go; default the console. `false` silences them. */
  readonly logger?: Logger | false | undefined
}

export const readKinds = {
  logger: valueKind<Logger | false>(isLogger, 'must be false or have the methods info and warn'),
}

export const parseReadOptions = optionsParser(readKinds)

/**
 * Every migration with its state, in the order of their names, or that of the source where it has one of its own; reads
 * only, and needs no table to exist. Of a table that another role controls the rows are shown, with a warning.
 *
 * @throws {PgvectorMigrationError} TABLE_NOT_TRUSTED where reading it could run code of that role.
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

/** The names of what a run would do, in its order. */
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
