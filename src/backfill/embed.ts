import { setTimeout as sleep } from 'node:timers/promises'

import { PgvectorMigrationError, errorMessage } from '../core/errors.ts'
import type { RowWithVector, RowWithoutVector } from './batch.ts'
import type { BackfillJob } from './job.ts'
import { columnLabel } from '../columns/facts.ts'
import type { QueryVector } from '../columns/read-elements.ts'
import { checkedBinary } from '../columns/values.ts'

/** Rows with their vectors, and the rows to leave out; null if the backfill was stopped in the meantime. */
export interface Embedded {
  readonly made: readonly RowWithVector[]
  readonly leftOut: readonly RowWithoutVector[]
}

/** Calls `embed` for a batch, and checks that the column can store every vector before any is sent. */
export async function embedBatch(job: BackfillJob, rows: readonly RowWithoutVector[]): Promise<Embedded | null> {
  const values = await embedWithRetry(job, rows)
  if (values === null) return null
  if (!Array.isArray(values) || values.length !== rows.length) {
    const got = Array.isArray(values) ? `${values.length} values` : 'no list'
    throw failure(job, `embed returned ${got} for ${rows.length} rows`)
  }
  const made: RowWithVector[] = []
  const leftOut: RowWithoutVector[] = []
  for (const [place, { key, version, row }] of rows.entries()) {
    const value = values[place] as QueryVector | null
    if (value === null) leftOut.push({ key, version, row })
    else made.push({ key, version, value: binaryOf(job, key, value) })
  }
  return { made, leftOut }
}

function binaryOf(job: BackfillJob, key: readonly string[], value: QueryVector): Buffer {
  const checked = checkedBinary(value, job.target.column)
  if ('binary' in checked) return checked.binary
  const row = job.target.key.map(({ name }, place) => `${name} ${key[place]}`).join(', ')
  throw failure(job, `the vector that embed returned for the row with ${row} ${checked.problems.join('; ')}`)
}

async function embedWithRetry(
  { needs, signal, report, target }: BackfillJob,
  rows: readonly RowWithoutVector[],
): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    if (signal.aborted) return null
    try {
      return await needs.embed(
        rows.map(({ row }) => row),
        { signal },
      )
    } catch (error) {
      if (signal.aborted) return null
      if (attempt === needs.attempts) {
        const problem = `embed failed ${attempt === 1 ? '' : `${attempt} times in a row, the last time `}with: ${errorMessage(error)}`
        throw failure({ target, report }, problem, error)
      }
      const milliseconds = needs.retryDelay * 2 ** (attempt - 1)
      report.retry(attempt + 1, milliseconds, error)
      await sleep(milliseconds, undefined, { signal }).catch(() => undefined)
    }
  }
}

/** Returns the error that ends a backfill. Rows already backfilled keep their vectors. */
export function failure(
  { target, report }: Pick<BackfillJob, 'target' | 'report'>,
  problem: string,
  cause?: unknown,
): PgvectorMigrationError<'BACKFILL_FAILED'> {
  const details = { column: columnLabel(target.column), filled: report.filled(), problem }
  return new PgvectorMigrationError('BACKFILL_FAILED', details, { cause })
}
