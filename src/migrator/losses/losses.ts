import { isPgvectorMigrationError } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import { durationKind, optionsParser } from '../../core/option-kinds.ts'
import { joinParts } from './catalog.ts'
import { countAll, type LostColumn, type LostTable } from './count.ts'
import { predictLosses, type PredictedLosses } from './foreseen.ts'
import { reasonIn, tryDown, untried, type Tried } from './tried.ts'
import { listMigrations, type MigrationFiles } from '../files/list.ts'
import { stageKinds, type StageOptions } from '../rehearse/stage.ts'
import type { Duration } from '../../core/durations.ts'
import { downKinds, selectDown, type DownSelection } from '../select.ts'
import type { MigrationSettings } from '../settings.ts'
import { readApplied } from '../tracking.ts'

export type { LostColumn, LostTable }

/** Which migrations to examine, how long to wait for locks, and how long to count. */
export interface LossOptions extends DownSelection, StageOptions {
  /**
   * How long to count rows, of all tables together, in milliseconds or like '5s'. The rest is estimated. Default 5000.
   */
  readonly countTimeout?: Duration | undefined
}

/** What rolling back migrations would lose. Nothing was changed. */
export interface Losses {
  /**
   * The migrations that would be rolled back, newest first. `problem` explains why the losses of a migration are
   * unknown.
   */
  readonly migrations: readonly { readonly name: string; readonly problem: string | null }[]
  readonly tables: readonly LostTable[]
  readonly columns: readonly LostColumn[]
  /** Why the lists may be incomplete. */
  readonly warnings: readonly string[]
}

const DEFAULT_COUNT_TIMEOUT = 5000

/** @internal */
export const parseLossOptions = optionsParser({ ...downKinds, ...stageKinds, countTimeout: durationKind })

/**
 * Determines what rolling back migrations would lose. It rolls them back in a transaction that is itself rolled back,
 * and counts what disappeared. What cannot be tried is predicted on an embedded copy. Rows that a migration deletes
 * from a table that remains are not reported.
 *
 * @internal
 */
export async function losses(
  session: Session,
  settings: MigrationSettings,
  options: ReturnType<typeof parseLossOptions>,
): Promise<Losses> {
  const { countTimeout = DEFAULT_COUNT_TIMEOUT } = options
  const files = await listMigrations(settings)
  const choose = async (from: Session): Promise<readonly string[]> =>
    selectDown(files, await readApplied(from, settings.tables), options)
  const names = await choose(session)
  if (names.length === 0) return { migrations: [], tables: [], columns: [], warnings: [] }
  const tried = await tryDown(session, settings, files, choose, options).catch((error: unknown) =>
    untried(names, error),
  )
  const { foreseen, obstacle } = await predictRest(session, settings, files, tried, options)
  const known = tried.migrations.map(({ name, problem }) => describe(name, problem, foreseen.has(name), obstacle))
  const lost = joinParts([...tried.lost, ...[...foreseen.values()].flat()])
  // A role with only read privileges can count too.
  const counts = await session.transaction((trx) => countAll(trx, lost, countTimeout), { readOnly: true })
  return {
    migrations: known.map(({ name, problem }) => ({ name, problem })),
    ...counts,
    warnings: [...known.flatMap(({ warning }) => warning ?? []), ...tried.warnings],
  }
}

async function predictRest(
  session: Session,
  settings: MigrationSettings,
  files: MigrationFiles,
  { migrations }: Tried,
  events: Pick<LossOptions, 'signal' | 'onEvent'>,
): Promise<{ readonly foreseen: PredictedLosses; readonly obstacle: string | null }> {
  const open = new Set(migrations.filter(({ problem }) => problem !== null).map(({ name }) => name))
  if (open.size === 0) return { foreseen: new Map(), obstacle: null }
  try {
    const names = migrations.map(({ name }) => name)
    const foreseen = await predictLosses(session, settings, files, names, events)
    return { foreseen: new Map([...foreseen].filter(([name]) => open.has(name))), obstacle: null }
  } catch (error) {
    if (isPgvectorMigrationError(error, 'MIGRATION_INTERRUPTED')) throw error
    const remedy = isPgvectorMigrationError(error, 'EMBEDDED_NOT_INSTALLED') ? ` ${error.hint}` : ''
    return { foreseen: new Map(), obstacle: `${reasonIn(error)}${remedy}` }
  }
}

function describe(
  name: string,
  problem: string | null,
  isForeseen: boolean,
  obstacle: string | null,
): Losses['migrations'][number] & { readonly warning: string | null } {
  if (problem === null) return { name, problem, warning: null }
  if (isForeseen) {
    const source = 'Its losses were determined on an embedded copy, which lacks objects that were created by hand.'
    return { name, problem: null, warning: `${problem} ${source}` }
  }
  const whole = obstacle === null ? problem : `${problem} On an embedded copy: ${obstacle}`
  return { name, problem: whole, warning: whole }
}
