import { sqlStateOf } from '../errors.ts'
import { logChange } from '../extension/log-change.ts'
import { loggerFrom } from '../extension/logger.ts'
import { outputOptions, type Logger, type LogOptions } from '../options.ts'
import { ask, assertPostgres, send, type Database } from '../queryable.ts'
import { parseOptions } from '../schema.ts'
import { sendable } from '../sql.ts'
import { serverMessage } from '../sqlstate.ts'
import { withBuildingSession, type BuildingSession } from './building-session.ts'
import { listVectorIndexes, type ListedIndex } from './list-indexes.ts'

/** What {@link repairVectorIndexes} may be told. */
export interface RepairOptions {
  /** Where messages go; default the console. `false` silences them. */
  readonly logger?: Logger | false | undefined
  /** Where the migration log is kept; `false` writes none. */
  readonly log?: LogOptions | false | undefined
}

/** What became of the indexes that were not valid. */
export interface RepairResult {
  /** Rebuilt beside those who write. */
  readonly rebuilt: readonly string[]
  /** What an interrupted REINDEX had left, and was dropped. */
  readonly dropped: readonly string[]
  /** Not touched, and why. */
  readonly left: readonly { readonly name: string; readonly reason: string }[]
  readonly warnings: readonly string[]
}

/**
 * Mends every index on vectors that is not valid, beside those who write, outside a transaction: what an interrupted
 * REINDEX left is dropped, the others are rebuilt with the memory that they need, up to that of shared_buffers.
 *
 * @example const { rebuilt, left } = await repairVectorIndexes(knex)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, UNSUPPORTED_DATABASE or SESSION_SHARED.
 */
export async function repairVectorIndexes(db: Database, options: RepairOptions = {}): Promise<RepairResult> {
  const needs = parseOptions(outputOptions, options)
  assertPostgres(db)
  const logger = loggerFrom(needs.logger)
  const broken = (await listVectorIndexes(db)).filter(({ isValid }) => !isValid)
  const rebuilt: string[] = []
  const dropped: string[] = []
  const left: { name: string; reason: string }[] = []
  const warnings: string[] = []
  for (const index of broken) {
    const reason = reasonToLeave(index)
    if (reason !== null) {
      left.push({ name: index.name, reason })
      logger.warn(`${index.name} is left as it is: ${reason}`)
      continue
    }
    logger.info(`${index.isLeftover ? 'dropping' : 'rebuilding'} ${index.name}`)
    try {
      warnings.push(...(await mend(db, index, needs.log)))
      ;(index.isLeftover ? dropped : rebuilt).push(index.name)
    } catch (error) {
      // What stands in the way of one index need not be in the way of the next.
      if (sqlStateOf(error) === undefined) throw error
      left.push({ name: index.name, reason: serverMessage(error) })
      logger.warn(`${index.name} could not be mended: ${serverMessage(error)}`)
    }
  }
  return { rebuilt, dropped, left, warnings: [...new Set(warnings)] }
}

function reasonToLeave({ isInWork, isPartitioned }: ListedIndex): string | null {
  if (isInWork) return 'another session is building it'
  // It becomes valid with the last of its partitions' indexes; one that lacks an index needs a build, not a repair.
  if (isPartitioned) return 'a partition lacks its index: build it again with buildIndex or CreateVectorIndex'
  return null
}

function mend(db: Database, index: ListedIndex, log: LogOptions | false): Promise<readonly string[]> {
  return withBuildingSession(
    db,
    () => undefined,
    async (session) => {
      const started = performance.now()
      const memory = await memoryFor(session, index)
      const settings = {
        statement_timeout: '0',
        lock_timeout: '0',
        maintenance_work_mem: `${Math.floor(memory / 1024)}kB`,
      }
      await session.withSettings(settings, () =>
        send(session.db, `${index.isLeftover ? 'drop' : 'reindex'} index concurrently ${sendable(index.name)}`),
      )
      const event = index.isLeftover ? 'index dropped' : 'index rebuilt'
      return logChange(session.db, log, event, performance.now() - started, { index: index.name, repaired: true })
    },
  )
}

async function memoryFor({ db }: BuildingSession, { buildMemory }: ListedIndex): Promise<number> {
  const { own, shared } = await ask<{ own: number; shared: number }>(
    db,
    `select json_build_object('own', pg_size_bytes(current_setting('maintenance_work_mem')),
      'shared', pg_size_bytes(current_setting('shared_buffers'))) as state`,
  )
  return Math.max(own, Math.min(buildMemory ?? 0, shared))
}
