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
import { buildOptions, type CreateIndexOptions, type ParsedBuildOptions } from './options.ts'
import { reportOn, type BuildReport } from './report.ts'
import { buildLock } from './lock.ts'
import type { BuildJob } from './job.ts'
import type { BuildSettings } from '../decide/memory.ts'
import { withHeldSession, type HeldSession } from '../../database/held-session.ts'
import { ensureIndex } from './ensure.ts'
import { withLeftovers } from './left-behind.ts'
import type { EnsuredIndex } from './ensured-index.ts'
import { assertIndex, type VectorIndex } from '../vector-index.ts'
import { checkIndex, type IndexCheck } from './verify.ts'
import { unwatched, watchBuild } from './watch.ts'

/** The result of {@link createVectorIndex}. */
export interface CreateIndexResult {
  /**
   * `kept`: an equal index existed. `postponed`: an ivfflat index on a table without rows, with `whenEmpty:
   * 'postpone'`.
   */
  readonly status: 'built' | 'kept' | 'postponed'
  /** The name of the index, which may be an equal one with another name; null if it was postponed. */
  readonly name: string | null
  /** The number of rows that the build was planned for; null if the index was kept, without a plan. */
  readonly rows: number | null
  /** The duration of the whole call. */
  readonly milliseconds: number
  /** The settings of the session that built it; null if nothing was built, or if each partition had its own. */
  readonly settings: BuildSettings | null
  /**
   * Whether the planner answers a nearest-neighbour query with it; null if nothing was built, or if a policy of the
   * table fails in this session.
   */
  readonly isUsed: boolean | null
  /** Problems that did not stop the build, with what to do about them. */
  readonly warnings: readonly string[]
}

/**
 * Makes sure that an index exists and is valid. It plans memory and processes, builds the index without blocking
 * writes, and checks the result.
 *
 * Outside a transaction it builds concurrently. In a transaction it builds only on a table that the transaction created
 * or that has no rows, where it blocks no other session. If a build is killed at any point, the next run finishes it.
 * It needs the same connection for the whole build: behind PgBouncer, use session mode or the server's own port.
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
  return buildIndex(db, index, parseOptions(buildOptions, options), {})
}

/** Does the same with parsed options. The log gets these details of the index too. @internal */
export async function buildIndex(
  db: Database,
  index: VectorIndex,
  needs: ParsedBuildOptions,
  about: BuildJob['about'],
): Promise<CreateIndexResult> {
  const caller = sessionOf(db)
  const started = performance.now()
  const logger = loggerFrom(needs.logger)
  const report = reportOn(index, needs.onEvent, logger)
  const result = await withHeldSession(caller, report.notice, async (session) => {
    const watch = session.isEmbedded ? unwatched : watchBuild(caller, session.processId, report, needs)
    const lock = buildLock(session)
    try {
      const job: BuildJob = { session, watch, lock, needs, report, logger, about, state: { hasBegun: false } }
      const settled = await ensureIndex(job, index).catch(async (error: unknown) => {
        throw await withLeftovers(job, index, error)
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
  if (result.status !== 'kept') currentTarget()?.onIndex?.(index)
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
      `The planner does not use ${identifier(index.name)} for a matching query, even with sequential scans disabled; ` +
        'check the EXPLAIN output of your query.',
    )
  }
  return check
}

async function record(
  { session, watch, needs, report, about: described }: BuildJob,
  index: VectorIndex,
  { facts, name, rows, settings }: EnsuredIndex,
  milliseconds: number,
): Promise<void> {
  const { method, metric } = index
  // A plan runs on an empty copy, whose rows and settings differ from those of the real build.
  const seen = currentTarget() === null ? { rows, settings, warnings: report.warnings } : {}
  // By OID, because a table created later with the same name is a different one.
  const computedDetails = numbersOf(facts.table?.schema ?? '', facts.table?.name ?? '')
  const change = {
    event: 'index built',
    milliseconds,
    details: { index: name, method, metric, ...described, ...seen },
    computedDetails,
  } as const
  const about = { table: facts.table?.oid ?? 0, index: name ?? '' }
  // The index is built, and a log entry that cannot be written must not roll that back.
  const unwritten = await logStep({ session, watch }, needs.log, change, about).catch((error: unknown) => [
    `The migration log was not written: ${serverMessage(error)}`,
  ])
  for (const warning of unwritten) report.warn(warning)
}

/** Writes the entry of a build that this call began earlier and that was complete except for its entry. */
async function recordLost(
  { session, needs, about: described }: BuildJob,
  { name: wanted, method, metric }: VectorIndex,
  { facts, name }: EnsuredIndex,
): Promise<void> {
  if (facts.table === null || name !== wanted) return
  const about = { table: facts.table.oid, index: name }
  const change = { event: 'index built', milliseconds: 0, details: { ...about, method, metric, ...described } } as const
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
