import { setTimeout as sleep } from 'node:timers/promises'

import { loggerFrom } from '../database/logger.ts'
import { currentTarget } from '../database/target.ts'
import { type Database, type Session, sessionOf } from '../database/session.ts'
import { parseOptions } from '../core/parse-options.ts'
import { countWithoutVector } from './batch.ts'
import { readBackfillFacts } from './facts.ts'
import type { BackfillJob } from './job.ts'
import { backfillOptions, type BackfillOptions } from './options.ts'
import { backfillOnce } from './pass.ts'
import { reportBackfill } from './report.ts'
import { assertWritable, backfillTarget } from './target.ts'
import { columnLabel } from '../columns/facts.ts'
import { assertColumn, type VectorColumn } from '../columns/column.ts'

/** What {@link backfillVectors} did. */
export interface BackfillResult {
  /** Rows that got their vector. */
  readonly filled: number
  /** Rows that `embed` returned null for. */
  readonly leftOut: number
  /** Rows that others were changing each time that their turn came; a later run fills them. */
  readonly inUse: number
  /** Whether a last look over the table found no row that it should have filled; false where it was stopped. */
  readonly isComplete: boolean
  readonly milliseconds: number
  /** What works but should be known, with what to do about it. */
  readonly warnings: readonly string[]
}

/**
 * Fills a column of vectors for the rows that have none, batch by batch beside those who write: reads rows, has `embed`
 * make their vectors, and writes these where the row is still as it was read.
 *
 * Nothing is locked and no transaction is open while `embed` works. Each batch is written by itself, so a run that is
 * killed loses what was under way, and the next one goes on. It ends when a look over the table finds nothing to fill.
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
  const found = await readBackfillFacts(session, column)
  const target = backfillTarget(found, column, needs)
  assertWritable(found, target)
  // A plan is made on an empty copy, and must not call a model.
  const total = currentTarget() === null ? await countWithoutVector(session, target) : 0
  const logger = loggerFrom(needs.logger)
  const label = columnLabel(column)
  const report = reportBackfill(label, total, needs.onEvent, logger)
  logger.info(`${label}: ${total ?? 'some'} rows have no vector`)
  if (found.indexes.length > 0 && (total ?? Infinity) > FEW_ROWS) {
    report.warn(
      `${label} has the index ${found.indexes.join(', ')}, into which every row is put as it is filled; ` +
        'an index that is built afterwards is built many times faster.',
    )
  }
  const ended =
    total === 0 ? { inUse: 0, leftOut: 0, isComplete: true } : await fill(session, { target, needs, report })
  const milliseconds = performance.now() - started
  logger.info(`${label}: ${report.filled()} rows filled in ${(milliseconds / 1000).toFixed(1)} s`)
  return { filled: report.filled(), ...ended, milliseconds, warnings: report.warnings }
}

const FEW_ROWS = 10_000

// Rows that others have in use are tried again after a pause.
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
