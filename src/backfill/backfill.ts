import { setTimeout as sleep } from 'node:timers/promises'

import { loggerFrom } from '../database/logger.ts'
import { currentTarget } from '../database/target.ts'
import { type Database, type Session, sessionOf } from '../database/session.ts'
import { parseOptions } from '../core/parse-options.ts'
import { countWithoutVector } from './batch.ts'
import { readTableFacts } from '../embeddings/table-facts.ts'
import type { BackfillJob } from './job.ts'
import { backfillOptions, type BackfillOptions } from './options.ts'
import { backfillOnce } from './pass.ts'
import { reportBackfill } from './report.ts'
import { assertWritable } from '../embeddings/target.ts'
import { backfillTarget } from './target.ts'
import { columnLabel } from '../columns/facts.ts'
import { assertColumn, type VectorColumn } from '../columns/column.ts'

/** The result of {@link backfillVectors}. */
export interface BackfillResult {
  /** Rows that received their vector. */
  readonly filled: number
  /** Rows for which `embed` returned null. */
  readonly leftOut: number
  /** Rows that other sessions were changing on every attempt; a later run backfills them. */
  readonly inUse: number
  /** Whether a final pass over the table found no remaining row to backfill; false if the backfill was stopped. */
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
  const report = reportBackfill(label, total, needs.onEvent, logger)
  logger.info(`${label}: ${total ?? 'some'} rows have no vector`)
  if (found.indexes.length > 0 && (total ?? Infinity) > FEW_ROWS) {
    report.warn(
      `${label} has the index ${found.indexes.join(', ')}, which every backfilled row updates; ` +
        'building the index after the backfill is many times faster.',
    )
  }
  const ended =
    total === 0 ? { inUse: 0, leftOut: 0, isComplete: true } : await fill(session, { target, needs, report })
  const milliseconds = performance.now() - started
  logger.info(`${label}: ${report.filled()} rows backfilled in ${(milliseconds / 1000).toFixed(1)} s`)
  return { filled: report.filled(), ...ended, milliseconds, warnings: report.warnings }
}

const FEW_ROWS = 10_000

// Rows that other sessions are using are tried again after a pause.
const MOST_IDLE_PASSES = 3
const PAUSE_MILLISECONDS = 1000

async function fill(
  session: Session,
  parts: Pick<BackfillJob, 'target' | 'needs' | 'report'>,
): Promise<Pick<BackfillResult, 'inUse' | 'leftOut' | 'isComplete'>> {
  const failed = new AbortController()
  const signal = AbortSignal.any([failed.signal, ...(parts.needs.signal === undefined ? [] : [parts.needs.signal])])
  const leftOut = new Set<string>()
  const job: BackfillJob = { db: session, ...parts, signal, leftOut }
  for (let idle = 0; ;) {
    const { filled, inUse } = await backfillOnce(job, () => failed.abort())
    const isDone = filled === 0 && inUse === 0
    idle = filled === 0 ? idle + 1 : 0
    if (isDone || signal.aborted || idle === MOST_IDLE_PASSES) {
      return { inUse, leftOut: leftOut.size, isComplete: isDone && !signal.aborted }
    }
    if (inUse > 0) await sleep(PAUSE_MILLISECONDS, undefined, { signal }).catch(() => undefined)
  }
}
