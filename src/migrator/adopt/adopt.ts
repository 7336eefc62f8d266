import { waitOf } from '../../core/durations.ts'
import { PgvectorMigrationError, type LockHolder } from '../../core/errors.ts'
import { readIsEmbedded } from '../../database/server-facts.ts'
import type { Session } from '../../database/session.ts'
import { readCatalog, type SchemaObject, type SchemaObjects } from './catalog.ts'
import { choose, type Choice } from './choice.ts'
import { effectsOf, type Effect } from './effects.ts'
import { optionsParser, textKind } from '../../core/option-kinds.ts'
import { runKinds, type RunOptions } from '../events.ts'
import { withRunLock } from '../lock/run-lock.ts'
import { unreleasedLock } from '../run/run.ts'
import { listMigrations } from '../files/list.ts'
import { assertFilesExist } from '../select.ts'
import { replayEvents } from '../replay/applied.ts'
import type { MigrationSettings } from '../settings.ts'
import { readUsable } from '../present-tables.ts'
import { batchAfter, readApplied, record } from '../tracking.ts'

/** Which migrations to record as applied. */
export interface AdoptOptions extends Pick<RunOptions, 'wait' | 'onEvent'> {
  /**
   * The last migration to record. The default is those that a table schema_migrations lists, or all if there is no such
   * table.
   */
  readonly to?: string | undefined
}

/** @internal */
export const parseAdoptOptions = optionsParser({ to: textKind, wait: runKinds.wait, onEvent: runKinds.onEvent })

/** What was recorded, and based on which source. */
export interface AdoptResult extends Pick<Choice, 'source' | 'unmatched'> {
  /** The number of Knex's batch; null if nothing was recorded. */
  readonly batch: number | null
  /** Each migration, with the number of objects that were looked for and found. */
  readonly adopted: readonly { readonly name: string; readonly objects: number }[]
  /** Warnings of a successful run. */
  readonly warnings: readonly string[]
}

/**
 * Records migrations as applied in a database that already has what they create, without running them there.
 *
 * A run in memory shows what they create and remove. In the database, everything created must exist and everything
 * removed must not. If so, all of them are recorded in one transaction; otherwise none.
 *
 * @throws {PgvectorMigrationError} ADOPT_MISMATCH, REPLAY_FAILED, EMBEDDED_NOT_INSTALLED, MIGRATIONS_LOCKED,
 * MIGRATION_LOCK_LOST, MIGRATION_NOT_FOUND, MIGRATION_AMBIGUOUS or MIGRATION_FILES_MISSING.
 */
export async function adopt(
  session: Session,
  settings: MigrationSettings,
  options: AdoptOptions = {},
): Promise<AdoptResult> {
  const files = await listMigrations(settings)
  const applied = await readApplied(session, settings.tables)
  assertFilesExist(files, applied)
  const { names, source, unmatched } = await choose(session, files.names, applied, options.to)
  if (names.length === 0) return { batch: null, adopted: [], source, unmatched, warnings: [] }
  const known = new Set([...applied.map(({ name }) => name), ...names])
  const tried = files.names.filter((name) => known.has(name))
  const effects = await effectsOf(session, files, tried, replayEvents(tried.length, options.onEvent))
  const wanted = effects.filter(({ migration }) => names.includes(migration))
  assertThere(wanted, (await readCatalog(session)).lookup)
  const { batch, recorded, warnings } = await recordAll(session, settings, names, options)
  const adopted = wanted
    .filter(({ migration }) => recorded.includes(migration))
    .map(({ migration, made }) => ({ name: migration, objects: made.length }))
  return { batch, adopted, source, unmatched, warnings }
}

function assertThere(effects: readonly Effect[], there: SchemaObjects): void {
  const problems = effects.flatMap(({ migration, made, removed }) =>
    [
      ...made.flatMap((object) => problemOf(object, there)),
      ...removed.filter(({ key }) => there.has(key)).map(({ key }) => `${key} is still there`),
    ].map((problem) => ({ migration, problem })),
  )
  if (problems.length > 0) throw new PgvectorMigrationError('ADOPT_MISMATCH', { problems })
}

function problemOf({ key, type, owner }: SchemaObject, there: SchemaObjects): string[] {
  const found = there.get(key)
  if (found !== undefined) return found.type === type ? [] : [`${key} is of type ${found.type}, not ${type}`]
  // If the table is missing, there is no need to report its columns.
  return owner === null || there.has(owner) ? [`${key} is missing`] : []
}

async function recordAll(
  session: Session,
  { tables, deadlines }: MigrationSettings,
  names: readonly string[],
  { wait, onEvent }: AdoptOptions,
): Promise<Pick<AdoptResult, 'batch' | 'warnings'> & { readonly recorded: readonly string[] }> {
  const usable = await readUsable(session, tables)
  const warnings = [...usable.warnings]
  const options = {
    command: 'adopt',
    missing: usable.missing,
    wait: waitOf(wait),
    deadlines,
    isSingle: await readIsEmbedded(session),
    onWait: (holder: LockHolder | null) => onEvent?.({ type: 'waiting', holder }),
    onRecover: (holder: LockHolder | null) => onEvent?.({ type: 'recovered', holder }),
    onKept: (error: unknown) => warnings.push(unreleasedLock(error)),
  }
  return withRunLock(session, usable.tables, options, async (lock) => {
    // Another run may have applied some of them in the meantime.
    const applied = new Set(lock.applied.map(({ name }) => name))
    const recorded = names.filter((name) => !applied.has(name))
    const batch = batchAfter(lock.applied)
    await lock.connection.transaction(async (trx) => {
      for (const name of recorded) {
        if (await record(trx, tables, { direction: 'up', name, batch }, lock.isHeld)) continue
        throw new PgvectorMigrationError('MIGRATION_LOCK_LOST', { migration: name, transactional: true })
      }
    })
    return { batch: recorded.length > 0 ? batch : null, recorded, warnings }
  })
}
