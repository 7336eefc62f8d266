import { PgvectorMigrationError } from '../../core/errors.ts'
import { numbersOf } from '../../extension/log-change.ts'
import { loggerFrom } from '../../database/logger.ts'
import { currentTarget } from '../../database/target.ts'
import { parseOptions } from '../../core/parse-options.ts'
import { type Database, sessionOf } from '../../database/session.ts'
import { identifier } from '../../core/sql.ts'
import { serverMessage } from '../../database/server-message.ts'
import { isOfThisMigration } from '../../log/migration-log.ts'
import { logLostStep, logStep } from '../log-step.ts'
import { buildOptions, type CreateIndexOptions } from './options.ts'
import { reportOn, type BuildReport } from './report.ts'
import { buildLock } from './lock.ts'
import type { BuildJob } from './job.ts'
import type { BuildSettings } from '../decide/memory.ts'
import { withHeldSession, type HeldSession } from '../../database/held-session.ts'
import { ensureIndex } from './ensure.ts'
import { withWhatIsLeft } from './left-behind.ts'
import type { EnsuredIndex } from './ensured-index.ts'
import { assertIndex, type VectorIndex } from '../vector-index.ts'
import { checkIndex, type IndexCheck } from './verify.ts'
import { unwatched, watchBuild } from './watch.ts'

/** What {@link createVectorIndex} did. */
export interface CreateIndexResult {
  /** `kept`: an equal one was there. `postponed`: an ivfflat index on a table without rows, and that was asked for. */
  readonly status: 'built' | 'kept' | 'postponed'
  /** Of the index that is there now, which may be an equal one under another name; null where it was postponed. */
  readonly name: string | null
  /** Rows that it was planned for; null where it was kept, and so none was planned. */
  readonly rows: number | null
  /** From the first look to the last. */
  readonly milliseconds: number
  /** What the session was given; null where nothing was built, or each partition had its own. */
  readonly settings: BuildSettings | null
  /**
   * Whether the planner answers a nearest-neighbour query with it; null where nothing was built, or a policy of the table
   * fails in this session.
   */
  readonly isUsed: boolean | null
  /** What works but should be known, with what to do about it. */
  readonly warnings: readonly string[]
}

/**
 * Makes sure that an index is there and valid: looks, plans memory and processes, builds beside the writers, checks.
 *
 * Outside a transaction it builds concurrently; in one only where nobody can be kept waiting, on a table that was made
 * there or has no rows. Killed at any point, it is finished by the next run. It wants a connection that stays the same
 * for the whole build: behind PgBouncer that is session mode, or the server's own port.
 *
 * @example
 * ```ts
 * await createVectorIndex(knex, vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' }), { maxMemory: '4GB' })
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, RELATION_NOT_FOUND, COLUMN_DIFFERS, INDEX_DIFFERS, INDEX_NEEDS_ROWS,
 * INDEX_NEEDS_MEMORY, INSUFFICIENT_PRIVILEGE, TABLE_BUSY, READ_ONLY, PGVECTOR_VERSION_TOO_LOW, VERIFICATION_FAILED, SESSION_SHARED or
 * INDEX_BUILD_FAILED.
 */
export async function createVectorIndex(
  db: Database,
  index: VectorIndex,
  options: CreateIndexOptions = {},
): Promise<CreateIndexResult> {
  assertIndex(index)
  const needs = parseOptions(buildOptions, options)
  const caller = sessionOf(db)
  const started = performance.now()
  const logger = loggerFrom(needs.logger)
  const report = reportOn(index, needs.onEvent, logger)
  const result = await withHeldSession(caller, report.notice, async (session) => {
    const watch = session.isEmbedded ? unwatched : watchBuild(caller, session.processId, report, needs)
    const lock = buildLock(session)
    try {
      const job: BuildJob = { session, watch, lock, needs, report, logger, state: { hasBegun: false } }
      const settled = await ensureIndex(job, index).catch(async (error: unknown) => {
        throw await withWhatIsLeft(job, index, error)
      })
      const check = settled.status === 'built' ? await verified(session, index, settled, report) : null
      const milliseconds = performance.now() - started
      if (check !== null) await record(job, index, settled, milliseconds)
      if (settled.status === 'kept') await recordLost(job, index, settled)
      return resultOf(settled, check, report, milliseconds)
    } finally {
      await lock.releaseAll()
      await watch.close()
    }
  })
  if (result.status === 'built') {
    logger.info(`index ${identifier(result.name ?? index.name)} built in ${(result.milliseconds / 1000).toFixed(1)} s`)
  }
  return result
}

async function verified(
  session: HeldSession,
  index: VectorIndex,
  { facts, name }: EnsuredIndex,
  report: BuildReport,
): Promise<IndexCheck> {
  const { table, extension } = facts
  const check = await checkIndex(session, index, {
    schema: table?.schema ?? '',
    table: table?.name ?? '',
    name: name ?? '',
    extension: extension?.schema ?? '',
    hidesRows: table?.hidesRows === true,
  })
  if (!check.isValid) {
    const problem = 'PostgreSQL left it invalid'
    throw new PgvectorMigrationError('INDEX_BUILD_FAILED', { index: identifier(index.name), problem })
  }
  if (check.isUsed === false) {
    report.warn(
      `The planner does not use ${identifier(index.name)} for a query that it is made for, even where it may not read ` +
        'the whole table; look at explain of your query.',
    )
  }
  return check
}

async function record(
  { session, watch, needs, report }: BuildJob,
  index: VectorIndex,
  { facts, name, rows, settings }: EnsuredIndex,
  milliseconds: number,
): Promise<void> {
  const { method, metric } = index
  // A plan is made on an empty copy: what was seen there is not what will be.
  const seen = currentTarget() === null ? { rows, settings, warnings: report.warnings } : {}
  // By number: a table of that name that is made later is another one.
  const computedDetails = numbersOf(facts.table?.schema ?? '', facts.table?.name ?? '')
  const change = {
    event: 'index built',
    milliseconds,
    details: { index: name, method, metric, ...seen },
    computedDetails,
  } as const
  const about = { table: facts.table?.oid ?? 0, index: name ?? '' }
  // The index is built: what keeps a line from being written must not make that undone.
  const unwritten = await logStep({ session, watch }, needs.log, change, about).catch((error: unknown) => [
    `The migration log was not written: ${serverMessage(error)}`,
  ])
  for (const warning of unwritten) report.warn(warning)
}

/** The line of a build that this very call began earlier, and that was there to the end but for its line. */
async function recordLost(
  { session, needs }: BuildJob,
  { name: wanted, method, metric }: VectorIndex,
  { facts, name }: EnsuredIndex,
): Promise<void> {
  if (facts.table === null || name !== wanted) return
  const about = { table: facts.table.oid, index: name }
  const change = { event: 'index built', milliseconds: 0, details: { ...about, method, metric } } as const
  await logLostStep(
    session,
    needs.log,
    change,
    about,
    (last) => last.event === 'index begun' && isOfThisMigration(last),
  )
}

function resultOf(
  { status, name, rows, settings }: EnsuredIndex,
  check: IndexCheck | null,
  { warnings }: BuildReport,
  milliseconds: number,
): CreateIndexResult {
  return { status, name, rows, milliseconds, settings, isUsed: check?.isUsed ?? null, warnings }
}
