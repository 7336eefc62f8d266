import { isLogged } from '../log/migration-log.ts'
import { logChange } from '../extension/log-change.ts'
import { loggerFrom } from '../database/logger.ts'
import { type Database, sessionOf } from '../database/session.ts'
import { lazySchema, parseOptions } from '../core/parse-options.ts'
import { identifier, qualified } from '../core/sql.ts'
import { sendWithLockRetry, type LockRetryOptions } from '../database/lock-retry.ts'
import type { BuildJob } from './build/job.ts'
import { buildError } from './build/errors.ts'
import { buildOptions, type BuildOptions } from './build/options.ts'
import { reportOn } from './build/report.ts'
import { withHeldSession } from '../database/held-session.ts'
import { isEqual } from './decide/equal.ts'
import type { CatalogFacts, ExistingIndex, TableFacts } from './look/facts.ts'
import { readCatalogFacts } from './look/read-facts.ts'
import { indexOfPartition } from './partition-index.ts'
import { differs } from './decide/from-catalog.ts'
import { lackingRights } from '../columns/schema-rights.ts'
import { assertIndex, type VectorIndex } from './vector-index.ts'
import { unwatched, watchBuild } from './build/watch.ts'

/** What {@link dropIndex} may be told. */
export interface DropIndexOptions extends Pick<
  BuildOptions,
  'lockTimeout' | 'wait' | 'signal' | 'onEvent' | 'logger' | 'log'
> {
  /** Leave an index that {@link buildIndex} did not build, as far as the log tells; default false. */
  readonly onlyOurs?: boolean | undefined
}

const dropIndexOptions = lazySchema((z) =>
  buildOptions()
    .pick({ lockTimeout: true, wait: true, signal: true, onEvent: true, logger: true, log: true })
    .extend({ onlyOurs: z.boolean('must be true or false').default(false) }),
)

/** What {@link dropIndex} did. */
export interface DropIndexResult {
  /** `kept`: it is not ours to drop. `absent`: there was nothing to drop. */
  readonly status: 'dropped' | 'kept' | 'absent'
  readonly warnings: readonly string[]
}

/**
 * Drops an index beside those who use it; one that is there under its name and is another one stays.
 *
 * In a transaction, and on a partitioned table, PostgreSQL can only drop it with the table locked: then nobody is kept
 * waiting for longer than `lockTimeout`.
 *
 * @example await dropIndex(knex, vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' }))
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, INDEX_DIFFERS, INSUFFICIENT_PRIVILEGE, TABLE_BUSY, SESSION_SHARED or INDEX_BUILD_FAILED.
 */
export async function dropIndex(
  db: Database,
  index: VectorIndex,
  options: DropIndexOptions = {},
): Promise<DropIndexResult> {
  assertIndex(index)
  const needs = parseOptions(dropIndexOptions, options)
  const caller = sessionOf(db)
  const started = performance.now()
  const logger = loggerFrom(needs.logger)
  const report = reportOn(index, needs.onEvent, logger)
  return withHeldSession(caller, report.notice, async (session) => {
    const facts = await readCatalogFacts(session, index)
    const existing = facts.indexes.find(({ name }) => name === index.name)
    const { table } = facts
    if (table === null || existing === undefined) return { status: 'absent', warnings: [] }
    const details = { table: table.oid, index: existing.name }
    if (
      needs.onlyOurs &&
      !(await isLogged(session, needs.log, ['index begun', 'index built'], 'index dropped', details))
    ) {
      const statement = `DROP INDEX CONCURRENTLY ${qualified(existing.schema, existing.name)};`
      report.warn(
        `Index ${identifier(index.name)} was not built by knex-pgvector as far as its log tells, so it stays. ` +
          `To drop it all the same: ${statement}`,
      )
      return { status: 'kept', warnings: report.warnings }
    }
    const forbidden = lackingRights('DROP INDEX', table)
    if (forbidden !== null) throw forbidden
    if (!isEqual(existing, index, facts)) throw differs(index, facts, existing.definition)
    const watch = session.isEmbedded ? unwatched : watchBuild(caller, session.processId, report, needs)
    try {
      await dropWithParts({ session, watch, needs, report }, index, facts, existing)
    } finally {
      await watch.close()
    }
    const milliseconds = performance.now() - started
    const unwritten = await logChange(session, needs.log, { event: 'index dropped', milliseconds, details })
    for (const warning of unwritten) report.warn(warning)
    logger.info(`index ${identifier(existing.name)} dropped`)
    return { status: 'dropped', warnings: report.warnings }
  })
}

type DropJob = Pick<BuildJob, 'session' | 'watch' | 'report'> & { readonly needs: LockRetryOptions }

/** Drops it, and what a build that did not end left on partitions. */
async function dropWithParts(
  job: DropJob,
  index: VectorIndex,
  facts: CatalogFacts,
  existing: ExistingIndex | undefined,
): Promise<void> {
  const { table } = facts
  if (table === null) return
  if (existing !== undefined && isEqual(existing, index, facts)) await dropOne(job, index, table, existing)
  for (const partition of table.partitions) {
    const part = indexOfPartition(index, partition)
    const seen = await readCatalogFacts(job.session, part)
    // What is part of a whole goes with it.
    const left = seen.indexes.find(({ name, parent }) => name === part.name && parent === null)
    await dropWithParts(job, part, seen, left)
  }
}

async function dropOne(
  { session, watch, needs, report }: DropJob,
  index: VectorIndex,
  table: TableFacts,
  { schema, name, isPartitioned }: ExistingIndex,
): Promise<void> {
  const started = performance.now()
  const isBrief = session.isInTransaction || isPartitioned
  const statement = `drop index ${isBrief ? '' : 'concurrently '}${qualified(schema, name)}`
  const settings = { lock_timeout: isBrief ? String(needs.lockTimeout) : '0', statement_timeout: '0' }
  await session.withSettings(settings, async () => {
    const outcome = await watch.during(() =>
      isBrief
        ? sendWithLockRetry(session, table, statement, needs, report)
        : session.whileAlive(() => session.send(statement)),
    )
    if ('result' in outcome) return
    throw buildError(outcome.error, outcome.stopped, index, table, Math.round(performance.now() - started))
  })
}
