import { loggerFrom } from '../database/logger.ts'
import { parseOptions } from '../core/parse-options.ts'
import { currentTarget } from '../database/target.ts'
import { type Database, sessionOf } from '../database/session.ts'
import { assertEmbedding, type Embedding } from './embedding.ts'
import { countInStep, isAllInStep, type InStep } from './in-step.ts'
import { backfillInStepOptions, type BackfillInStepOptions } from './worker/options.ts'
import { oncePolicy } from './worker/policies.ts'
import { prepareWorker } from './worker/start.ts'

/** The result of {@link backfill}. */
export interface BackfillInStepResult extends InStep {
  /** Rows that received their vector in this run. */
  readonly filled: number
  /** Rows that other sessions kept locked; a later run embeds them. */
  readonly inUse: number
  /** Whether every row has the vector of what it says now. */
  readonly isComplete: boolean
  readonly milliseconds: number
  /** Problems that did not stop the backfill. */
  readonly warnings: readonly string[]
}

/**
 * Makes the vectors of all rows that are stale or have none, and ends: the worker of `keepInStep`, run once. It can
 * run while other workers do.
 *
 * @example await backfill(knex, articles, { embed: (rows) => model.embed(rows.map(({ body }) => body)) })
 *
 * @throws {PgvectorMigrationError} those of {@link keepInStep}, or BACKFILL_FAILED.
 */
export async function backfill<Row extends object = Record<string, unknown>>(
  db: Database,
  embedding: Embedding,
  options: BackfillInStepOptions<Row> = {},
): Promise<BackfillInStepResult> {
  assertEmbedding(embedding)
  const needs = parseOptions(backfillInStepOptions, options)
  const session = sessionOf(db)
  const started = performance.now()
  const worker = await prepareWorker(session, embedding, { ...needs, settle: 0 }, async (state) => {
    const { stale, missing } = await countInStep(session, state)
    return stale + missing
  })
  // A plan runs on an empty copy and must not call a model.
  const { inUse } =
    currentTarget() === null ? await worker.run((parts) => oncePolicy({ ...parts, lease: needs.lease })) : { inUse: 0 }
  const after = await countInStep(session, worker.state)
  const milliseconds = performance.now() - started
  const filled = worker.report.filled()
  loggerFrom(needs.logger).info(
    `${worker.state.label}: ${filled} rows backfilled in ${(milliseconds / 1000).toFixed(1)} s`,
  )
  return {
    ...after,
    filled,
    inUse,
    isComplete: isAllInStep(after) && needs.signal?.aborted !== true,
    milliseconds,
    warnings: worker.report.warnings,
  }
}
