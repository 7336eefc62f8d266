import { originOf, reasonKept } from '../log/migration-log.ts'
import { loggerFrom } from '../database/logger.ts'
import { refuseReadOnly } from '../database/read-only.ts'
import { type Database, sessionOf } from '../database/session.ts'
import { onlyOursOption } from '../core/options.ts'
import { lazySchema, parseOptions } from '../core/parse-options.ts'
import { identifier, qualified } from '../core/sql.ts'
import { sendWithLockRetry, type LockRetryOptions } from '../database/lock-retry.ts'
import type { BuildJob } from './build/job.ts'
import { sendConcurrently } from './build/concurrently.ts'
import { workError } from './build/errors.ts'
import { buildOptions, type CreateIndexOptions, type ParsedBuildOptions } from './build/options.ts'
import { reportOn } from './build/report.ts'
import { withHeldSession } from '../database/held-session.ts'
import { isEqual } from './decide/equal.ts'
import { findIndex } from './decide/find.ts'
import type { CatalogFacts, ExistingIndex, TableFacts } from './look/facts.ts'
import { readCatalogFacts } from './look/read-facts.ts'
import { logLostStep, logStep } from './log-step.ts'
import { indexOfPartition } from './partition-index.ts'
import { withDropState, type DropState } from './dropped-in-part.ts'
import { differs } from './decide/from-catalog.ts'
import { assertIndex, type VectorIndex } from './vector-index.ts'
import { lackingRights } from '../columns/table-rights.ts'
import { unwatched, watchBuild } from './build/watch.ts'

/** Options of {@link dropVectorIndex}. */
export interface DropIndexOptions extends Pick<
  CreateIndexOptions,
  'lockTimeout' | 'wait' | 'signal' | 'onEvent' | 'logger' | 'log'
> {
  /** Keep an index that this library's log does not show as built by it; default true. */
  readonly onlyOurs?: boolean | undefined
}

/** @internal */
export const dropIndexOptions = lazySchema(() =>
  buildOptions()
    .pick({ lockTimeout: true, wait: true, signal: true, onEvent: true, logger: true, log: true })
    .extend({ onlyOurs: onlyOursOption() }),
)

/** The result of {@link dropVectorIndex}. */
export interface DropIndexResult {
  /** `kept`: this library did not build the index. `absent`: there was nothing to drop. */
  readonly status: 'dropped' | 'kept' | 'absent'
  readonly warnings: readonly string[]
}

/**
 * Drops an index without blocking reads or writes. It keeps an index that has this name but another definition, and finds
 * an index under the default name of an earlier release by its definition.
 *
 * It waits for the transactions that use the table before its first step, which makes the index invalid. If it ends
 * early after that step, the error names the command that finishes the drop.
 *
 * In a transaction, and on a partitioned table, PostgreSQL can drop it only with the table locked. Other sessions then
 * wait for at most `lockTimeout`.
 *
 * @example await dropVectorIndex(knex, vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' }))
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, INDEX_DIFFERS, INSUFFICIENT_PRIVILEGE, TABLE_BUSY, READ_ONLY, SESSION_SHARED or
 * INDEX_DROP_FAILED.
 */
export async function dropVectorIndex(
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
    const existing = findIndex(index, facts)
    const { table } = facts
    if (table === null) return { status: 'absent', warnings: [] }
    const details = { table: table.oid, index: existing?.name ?? index.name }
    if (existing === undefined) {
      const change = { event: 'index dropped', milliseconds: 0, details } as const
      await logLostStep(session, needs.log, change, details, ({ event }) => event !== 'index dropped')
      return { status: 'absent', warnings: [] }
    }
    const origin = needs.onlyOurs
      ? await originOf(session, needs.log, ['index begun', 'index built'], 'index dropped', details)
      : 'ours'
    if (origin !== 'ours') {
      const statement = `DROP INDEX CONCURRENTLY ${qualified(existing.schema, existing.name)};`
      report.warn(`Index ${identifier(existing.name)} ${reasonKept(origin, 'built')}. To drop it anyway: ${statement}`)
      return { status: 'kept', warnings: report.warnings }
    }
    refuseReadOnly(facts.readOnly)
    const forbidden = lackingRights('DROP INDEX', table)
    if (forbidden !== null) throw forbidden
    if (!isEqual(existing, index, facts)) throw differs(index, facts, existing.definition)
    const watch = session.isEmbedded ? unwatched : watchBuild(caller, session.processId, report, needs)
    const job: DropJob = { session, watch, needs, report, state: { dropped: [], current: null } }
    try {
      await dropWithParts(job, { ...index, name: existing.name }, facts, existing).catch(async (error: unknown) => {
        throw await withDropState(job, { table, existing, details }, error)
      })
      const milliseconds = performance.now() - started
      const unwritten = await logStep(job, needs.log, { event: 'index dropped', milliseconds, details }, details)
      for (const warning of unwritten) report.warn(warning)
    } finally {
      await watch.close()
    }
    logger.info(`index ${identifier(existing.name)} dropped`)
    return { status: 'dropped', warnings: report.warnings }
  })
}

type DropJob = Pick<BuildJob, 'session' | 'watch' | 'report'> & {
  readonly needs: LockRetryOptions & Pick<ParsedBuildOptions, 'log'>
  readonly state: DropState
}

/** Drops the index, and what an interrupted build left on its partitions. */
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
    // The parts are dropped with the whole index.
    const left = seen.indexes.find(({ name, parent }) => name === part.name && parent === null)
    await dropWithParts(job, part, seen, left)
  }
}

async function dropOne(job: DropJob, index: VectorIndex, table: TableFacts, existing: ExistingIndex): Promise<void> {
  const { session, needs, report, state } = job
  const { schema, name, isPartitioned } = existing
  const started = Date.now()
  const outcome =
    session.isInTransaction || isPartitioned
      ? await session.withSettings({ lock_timeout: String(needs.lockTimeout), statement_timeout: '0' }, () =>
          unwatched.during(() =>
            sendWithLockRetry(session, table, `drop index ${qualified(schema, name)}`, needs, report),
          ),
        )
      : await sendConcurrently(job, {
          table: table.oid,
          // Another session that is dropping it may be waited for.
          statement: `drop index concurrently if exists ${qualified(schema, name)}`,
          waitsFor: 'everyone',
          onBegin: () => {
            state.current = existing
          },
        })
  if ('result' in outcome) {
    state.dropped.push(existing)
    return
  }
  throw workError(outcome, { statement: 'DROP INDEX', index: index.name, table, started })
}
