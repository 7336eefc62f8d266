import { errorMessage } from '../core/errors.ts'
import { loggerFrom } from '../database/logger.ts'
import { currentTarget } from '../database/target.ts'
import { type Database, sessionOf } from '../database/session.ts'
import { parseOptions } from '../core/parse-options.ts'
import { readTableFacts } from '../embeddings/table-facts.ts'
import { assertWritable, type VectorTarget } from '../embeddings/target.ts'
import { failureText, isWrongAnswer } from '../embeddings/worker/call-model.ts'
import { limitsFor } from '../embeddings/worker/limits.ts'
import type { WorkEvent } from '../embeddings/worker/options.ts'
import { asBackfillFailure, backfillFailure, LOCK_PATIENCE } from '../embeddings/worker/policies.ts'
import type { WorkPolicy } from '../embeddings/worker/policy.ts'
import { reportWork, type WorkReport } from '../embeddings/worker/report.ts'
import { runWork, type WorkResult } from '../embeddings/worker/run.ts'
import { createWake } from '../embeddings/worker/wake.ts'
import { columnLabel } from '../columns/facts.ts'
import { assertColumn, type VectorColumn } from '../columns/column.ts'
import { columnSource, type ColumnSource } from './column-source.ts'
import { backfillOptions, type BackfillEvent, type BackfillOptions, type ParsedBackfillOptions } from './options.ts'
import { backfillTarget } from './target.ts'
import { countWithoutVector } from './without-vector.ts'

/** The result of {@link backfillVectors}. */
export interface BackfillResult {
  /** Rows that received their vector. */
  readonly filled: number
  /** Rows for which `embed` returned null. */
  readonly leftOut: number
  /** Rows that other sessions kept locked, or changed on every attempt; a later run backfills them. */
  readonly inUse: number
  /**
   * Whether a final pass over the table found no row without a vector; false if the backfill was stopped, if rows were
   * left out or in use, or if row security hides rows from the role.
   */
  readonly isComplete: boolean
  readonly milliseconds: number
  /** Problems that did not stop the backfill, with what to do about them. */
  readonly warnings: readonly string[]
}

/**
 * Backfills a vector column batch by batch, without blocking writes. It reads rows that have no vector, passes them to
 * `embed`, and writes each vector if its row has not changed since.
 *
 * While `embed` works, no lock is held and no transaction is open. Each batch is written on its own, so a killed run
 * loses only the batches in progress, and the next run continues. The backfill ends when a pass over the table finds
 * nothing left to do.
 *
 * @example
 * ```ts
 * await backfillVectors(knex, embedding, {
 *   read: ['body'],
 *   embed: (rows: readonly { body: string }[]) => model.embed(rows.map(({ body }) => body)),
 * })
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, RELATION_NOT_FOUND, COLUMN_DIFFERS, READ_ONLY,
 * INSUFFICIENT_PRIVILEGE or BACKFILL_FAILED.
 */
export async function backfillVectors<Row extends object = Record<string, unknown>>(
  db: Database,
  column: VectorColumn,
  options: BackfillOptions<Row>,
): Promise<BackfillResult> {
  assertColumn(column)
  const needs = parseOptions(backfillOptions, options)
  const session = sessionOf(db)
  const started = performance.now()
  const found = await readTableFacts(session, column)
  const target = backfillTarget(session, found, column, needs)
  assertWritable(found, target)
  // A plan runs on an empty copy and must not call a model.
  const total = currentTarget() === null ? await countWithoutVector(session, target) : 0
  const logger = loggerFrom(needs.logger)
  const label = columnLabel(column)
  const report = reportWork(label, total, onBackfillEvent(needs.onEvent), logger)
  logger.info(`${label}: ${total ?? 'some'} rows have no vector`)
  if (found.indexes.length > 0 && (total ?? Infinity) > FEW_ROWS) {
    report.warn(
      `${label} has the index ${found.indexes.join(', ')}, which every backfilled row updates; ` +
        'building the index after the backfill is many times faster.',
    )
  }
  if (found.hidesRows) {
    report.warn(
      `Row security hides rows of ${target.table} from the role ${found.role}, and they are not backfilled. ` +
        'Run it as the owner of the table, or as a role with BYPASSRLS.',
    )
  }
  const source = columnSource(session, target)
  const { inUse } = total === 0 ? { inUse: 0 } : await run(source, target, needs, report)
  const left = inUse + source.unsettled()
  const milliseconds = performance.now() - started
  logger.info(`${label}: ${report.filled()} rows backfilled in ${(milliseconds / 1000).toFixed(1)} s`)
  const isStopped = needs.signal?.aborted === true
  return {
    filled: report.filled(),
    leftOut: source.leftOut(),
    inUse: left,
    isComplete: !isStopped && !found.hidesRows && left === 0 && source.leftOut() === 0,
    milliseconds,
    warnings: report.warnings,
  }
}

const FEW_ROWS = 10_000

function run(
  source: ColumnSource,
  target: VectorTarget,
  needs: ParsedBackfillOptions,
  report: WorkReport,
): Promise<WorkResult> {
  const { embed, attempts, retryDelay, timeout, concurrency, signal = new AbortController().signal } = needs
  const parts = { label: columnLabel(target.column), report }
  return runWork({
    source,
    column: target.column,
    model: { embed, attempts, retryDelay, timeout, signal, onRetry: report.retry },
    limits: limitsFor(target.column, needs),
    concurrency,
    policy: strictPolicy(parts, source, target, attempts),
    report,
    wake: createWake(),
    live: new Set(),
  })
}

// There is no table for rows that failed, so a failure ends the backfill.
function strictPolicy(
  parts: { readonly label: string; readonly report: WorkReport },
  source: ColumnSource,
  { key }: VectorTarget,
  attempts: number,
): WorkPolicy {
  return {
    bisects: false,
    lockPatience: LOCK_PATIENCE,
    idle: () => Promise.resolve(null),
    onRefused: async (claim, { wrong: [first], leftOut }) => {
      await source.giveUp(claim, leftOut, '')
      if (first === undefined) return
      const row = key.map(({ name }, place) => `${name} ${first.row.key[place]}`).join(', ')
      throw backfillFailure(parts, `the vector that embed returned for the row with ${row} ${first.error}`)
    },
    onFailedBatch: async (_, __, { error }) => {
      const problem = isWrongAnswer(error) ? errorMessage(error) : failureText(error, attempts)
      throw backfillFailure(parts, problem, error)
    },
    onDatabaseError: async (error) => {
      throw asBackfillFailure(parts, error)
    },
    onRefusedWrite: async (_, __, error) => {
      throw asBackfillFailure(parts, error)
    },
  }
}

// Rows that are given up are counted as skipped.
function onBackfillEvent(
  onEvent: ((event: BackfillEvent) => void) | undefined,
): ((event: WorkEvent) => void) | undefined {
  if (onEvent === undefined) return undefined
  return (event) => {
    if (event.type !== 'failed') onEvent(event)
  }
}
