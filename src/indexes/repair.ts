import { isPgvectorMigrationError, sqlStateOf } from '../core/errors.ts'
import { logChange } from '../extension/log-change.ts'
import { loggerFrom } from '../database/logger.ts'
import { outputOptions, type Logger, type LogOptions } from '../core/options.ts'
import { type Database, type Session, sessionOf } from '../database/session.ts'
import { parseOptions } from '../core/parse-options.ts'
import { sendable } from '../core/sql.ts'
import { serverMessage } from '../database/server-message.ts'
import { withHeldSession, type HeldSession } from '../database/held-session.ts'
import { serverSettingsSql, type ServerSettings } from './look/settings.ts'
import { readListedIndexes, type ListedIndex } from './list.ts'
import { revalidateIndex } from './revalidate.ts'

/** What {@link repairVectorIndexes} may be told. */
export interface RepairOptions {
  /** Where messages go; default the console. `false` silences them. */
  readonly logger?: Logger | false | undefined
  /** Where the migration log is kept; `false` writes none. */
  readonly log?: LogOptions | false | undefined
}

/** What became of the indexes that were not valid. */
export interface RepairResult {
  /** Rebuilt beside those who write; a partitioned index that is valid again with its parts is among them. */
  readonly rebuilt: readonly string[]
  /** What an interrupted REINDEX had left, and was dropped. */
  readonly dropped: readonly string[]
  /** Not touched, and why. */
  readonly left: readonly { readonly name: string; readonly reason: string }[]
  readonly warnings: readonly string[]
}

/**
 * Mends every index on vectors that is not valid, beside those who write, outside a transaction: what an interrupted
 * REINDEX left is dropped, the others are rebuilt with the memory that they need, up to that of shared_buffers, and the
 * partitioned ones are looked at again.
 *
 * @example const { rebuilt, left } = await repairVectorIndexes(knex)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, UNSUPPORTED_DATABASE or SESSION_SHARED.
 */
export async function repairVectorIndexes(db: Database, options: RepairOptions = {}): Promise<RepairResult> {
  const needs = parseOptions(outputOptions, options)
  const session = sessionOf(db)
  const logger = loggerFrom(needs.logger)
  const broken = (await readListedIndexes(session)).filter(({ isValid }) => !isValid)
  const rebuilt: string[] = []
  const dropped: string[] = []
  const left: { name: string; reason: string }[] = []
  const warnings: string[] = []
  const leave = (name: string, reason: string): void => {
    left.push({ name, reason })
    logger.warn(`${name} is left as it is: ${reason}`)
  }
  for (const index of broken.filter(({ isPartitioned }) => !isPartitioned)) {
    if (index.isInWork) {
      leave(index.name, 'another session is building it')
      continue
    }
    logger.info(`${index.isLeftover ? 'dropping' : 'rebuilding'} ${index.name}`)
    const reason = await problemOf(async () => warnings.push(...(await repair(session, index, needs.log))))
    if (reason === null) (index.isLeftover ? dropped : rebuilt).push(index.name)
    else leave(index.name, reason)
  }
  for (const { name, reason } of await revalidate(session, broken)) {
    if (reason === null) rebuilt.push(name)
    else leave(name, reason)
  }
  return { rebuilt, dropped, left, warnings: [...new Set(warnings)] }
}

/** What stands in its way, which need not be in that of the next index; null where it was done. */
async function problemOf(run: () => Promise<unknown>): Promise<string | null> {
  try {
    await run()
    return null
  } catch (error) {
    if (isPgvectorMigrationError(error, 'TABLE_BUSY')) return error.message
    if (sqlStateOf(error) === undefined) throw error
    return serverMessage(error)
  }
}

const INCOMPLETE = 'a partition lacks its index: build it again with buildIndex or CreateVectorIndex'
const PATIENCE = { lockTimeout: 1000, wait: 60_000 } as const

/** Partitioned indexes become valid with their parts, which may be partitioned too. */
async function revalidate(
  db: Session,
  broken: readonly ListedIndex[],
): Promise<{ readonly name: string; readonly reason: string | null }[]> {
  const wholes: { readonly name: string; readonly reason: string | null }[] = []
  for (const { name } of broken.filter(({ isPartitioned }) => isPartitioned)) {
    const settings = { statement_timeout: '0', lock_timeout: String(PATIENCE.lockTimeout) }
    const reason = await problemOf(() =>
      withHeldSession(
        db,
        () => undefined,
        (session) => session.withSettings(settings, () => revalidateIndex(session, name, PATIENCE)),
      ),
    )
    wholes.push({ name, reason })
  }
  if (wholes.length === 0) return []
  const listed = await readListedIndexes(db)
  const isValid = (whole: string): boolean => listed.some((index) => index.name === whole && index.isValid)
  return wholes.map(({ name, reason }) => ({ name, reason: isValid(name) ? null : (reason ?? INCOMPLETE) }))
}

function repair(db: Session, index: ListedIndex, log: LogOptions | false): Promise<readonly string[]> {
  return withHeldSession(
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
        session.send(`${index.isLeftover ? 'drop' : 'reindex'} index concurrently ${sendable(index.name)}`),
      )
      const event = index.isLeftover ? 'index dropped' : 'index rebuilt'
      const details = { index: index.name, repaired: true }
      return logChange(session, log, { event, milliseconds: performance.now() - started, details })
    },
  )
}

async function memoryFor(session: HeldSession, { buildMemory }: ListedIndex): Promise<number> {
  const { maintenanceWorkMemory, sharedBuffers } = await session.ask<ServerSettings>(
    `select ${serverSettingsSql} as state`,
  )
  return Math.max(maintenanceWorkMemory, Math.min(buildMemory ?? 0, sharedBuffers))
}
