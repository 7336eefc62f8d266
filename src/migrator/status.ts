import { optionsParser, valueKind } from '../core/option-kinds.ts'
import { isLogger, type Logger } from '../core/options.ts'
import { loggerFrom } from '../database/logger.ts'
import type { Session } from '../database/session.ts'
import type { Direction } from './events.ts'
import { listMigrations } from './files/list.ts'
import { assertFilesExist, selectDown, selectUp, type DownSelection, type UpSelection } from './select.ts'
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
