import { isPgvectorMigrationError, sqlStateOf } from '../core/errors.ts'
import type { Duration } from '../core/durations.ts'
import { loggerFrom } from '../database/logger.ts'
import { assertWritable } from '../database/read-only.ts'
import type { Logger, LogOptions } from '../core/options.ts'
import { type Database, type Session, sessionOf } from '../database/session.ts'
import { lazySchema, parseOptions } from '../core/parse-options.ts'
import type { LockRetryOptions } from '../database/lock-retry.ts'
import { serverMessage } from '../database/server-message.ts'
import { withHeldSession } from '../database/held-session.ts'
import { afterChanges } from './build/errors.ts'
import { buildOptions } from './build/options.ts'
import type { Patience } from './build/watch.ts'
import { serverSettingsSql, type ServerSettings } from './look/settings.ts'
import { readListedIndexes, type ListedIndex } from './list.ts'
import { rebuildConcurrently, type RebuildNeeds } from './rebuild.ts'
import { revalidateIndex } from './revalidate.ts'

/** Options of {@link repairVectorIndexes}. */
export interface RepairOptions {
  /**
   * PostgreSQL's lock_timeout: the longest time that other sessions may wait behind one of these statements, in
   * milliseconds or like '500ms'; default 1000.
   */
  readonly lockTimeout?: Duration | undefined
  /** How long to wait for other sessions that use a table, in milliseconds or like '60s'; default 60000. */
  readonly wait?: Duration | undefined
  /** Stops the repair. */
  readonly signal?: AbortSignal | undefined
  /** Where messages go; default: the console. `false` silences them. */
  readonly logger?: Logger | false | undefined
  /** Where the migration log is; default the table `pgvector_migration_log`. `false` turns it off. */
  readonly log?: LogOptions | false | undefined
}

const repairOptions = lazySchema(() =>
  buildOptions().pick({ lockTimeout: true, wait: true, signal: true, logger: true, log: true }),
)

/** What was done about the indexes that were not valid. */
export interface RepairResult {
  /** Rebuilt without blocking writes. This includes a partitioned index that is valid again with its parts. */
  readonly rebuilt: readonly string[]
  /** Remains of an interrupted REINDEX, which were dropped. */
  readonly dropped: readonly string[]
  /** Not changed, with the reason. */
  readonly left: readonly { readonly name: string; readonly reason: string }[]
  readonly warnings: readonly string[]
}

/**
 * Repairs every vector index that is not valid, without blocking writes, outside a transaction. It drops the remains of
 * an interrupted REINDEX. It rebuilds the other indexes with the memory that they need, up to the size of
 * shared_buffers, and checks the partitioned ones again.
 *
 * @example const { rebuilt, left } = await repairVectorIndexes(knex)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, UNSUPPORTED_DATABASE or SESSION_SHARED.
 */
export async function repairVectorIndexes(db: Database, options: RepairOptions = {}): Promise<RepairResult> {
  const needs = parseOptions(repairOptions, options)
  const session = sessionOf(db)
  const logger = loggerFrom(needs.logger)
  const broken = (await readListedIndexes(session)).filter(({ isValid }) => !isValid)
  if (broken.length > 0) await assertWritable(session)
  const rebuilt: string[] = []
  const dropped: string[] = []
  const left: { name: string; reason: string }[] = []
  const warnings: string[] = []
  const leave = (name: string, reason: string): void => {
    left.push({ name, reason })
    logger.warn(`${name} was not changed: ${reason}`)
  }
  const single = broken.filter(({ isPartitioned }) => !isPartitioned)
  // The remains of a REINDEX are dropped first, so that a rebuild does not find any.
  for (const index of [
    ...single.filter(({ isLeftover }) => isLeftover),
    ...single.filter(({ isLeftover }) => !isLeftover),
  ]) {
    if (index.isInWork) {
      leave(index.name, 'another session is building it')
      continue
    }
    logger.info(`${index.isLeftover ? 'dropping' : 'rebuilding'} ${index.name}`)
    const reason = await problemOf(needs, async () =>
      warnings.push(...(await repair(session, index, needs, logger))),
    ).catch((error: unknown) => {
      throw afterChanges(error, [
        ...dropped.map((name) => `${name} was dropped`),
        ...rebuilt.map((name) => `${name} was rebuilt`),
      ])
    })
    if (reason === null) (index.isLeftover ? dropped : rebuilt).push(index.name)
    else leave(index.name, reason)
  }
  for (const { name, reason } of await revalidate(session, broken, needs)) {
    if (reason === null) rebuilt.push(name)
    else leave(name, reason)
  }
  return { rebuilt, dropped, left, warnings: [...new Set(warnings)] }
}

/** Returns why an index could not be repaired, which does not prevent the repair of the next one; null on success. */
async function problemOf({ signal }: Patience, run: () => Promise<unknown>): Promise<string | null> {
  try {
    await run()
    return null
  } catch (error) {
    const isOurs = isPgvectorMigrationError(error)
    if (signal?.aborted === true || (!isOurs && sqlStateOf(error) === undefined)) throw error
    if (!isOurs) return serverMessage(error)
    if (!canGoOn.some((code) => error.code === code)) throw error
    return `${error.message}. ${error.hint}`
  }
}

const canGoOn = ['TABLE_BUSY', 'INSUFFICIENT_PRIVILEGE', 'INDEX_BUILD_FAILED', 'INDEX_DROP_FAILED'] as const

const INCOMPLETE = 'a partition lacks its index: build it again with createVectorIndex or CreateVectorIndex'

/** Partitioned indexes become valid with their parts, which may be partitioned too. */
async function revalidate(
  db: Session,
  broken: readonly ListedIndex[],
  needs: LockRetryOptions,
): Promise<{ readonly name: string; readonly reason: string | null }[]> {
  const wholes: { readonly name: string; readonly reason: string | null }[] = []
  for (const { name } of broken.filter(({ isPartitioned }) => isPartitioned)) {
    const settings = { statement_timeout: '0', lock_timeout: String(needs.lockTimeout) }
    const reason = await problemOf(needs, () =>
      withHeldSession(
        db,
        () => undefined,
        (session) => session.withSettings(settings, () => revalidateIndex(session, name, needs)),
      ),
    )
    wholes.push({ name, reason })
  }
  if (wholes.length === 0) return []
  const listed = await readListedIndexes(db)
  const isValid = (whole: string): boolean => listed.some((index) => index.name === whole && index.isValid)
  return wholes.map(({ name, reason }) => ({ name, reason: isValid(name) ? null : (reason ?? INCOMPLETE) }))
}

function repair(session: Session, index: ListedIndex, needs: RebuildNeeds, logger: Logger): Promise<readonly string[]> {
  const { name, isLeftover } = index
  const work = isLeftover ? 'drop' : 'reindex'
  const settings = async (held: Session): Promise<Readonly<Record<string, string>>> => ({
    maintenance_work_mem: `${Math.floor((await memoryFor(held, index)) / 1024)}kB`,
  })
  return rebuildConcurrently(session, { name, work, settings, details: { index: name, repaired: true } }, needs, logger)
}

async function memoryFor(session: Session, { buildMemory }: ListedIndex): Promise<number> {
  const { maintenanceWorkMemory, sharedBuffers } = await session.ask<ServerSettings>(
    `select ${serverSettingsSql} as state`,
  )
  return Math.max(maintenanceWorkMemory, Math.min(buildMemory ?? 0, sharedBuffers))
}
