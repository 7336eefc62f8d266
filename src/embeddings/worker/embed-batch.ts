import type { VectorColumn } from '../../columns/column.ts'
import type { QueryVector } from '../../columns/read-elements.ts'
import { checkedBinary } from '../../columns/values.ts'
import { errorMessage } from '../../core/errors.ts'
import { callModel, type Model } from './call-model.ts'
import type { MadeRow, WorkRow } from './work-source.ts'

/** What became of the rows of a batch. */
export interface Embedded {
  readonly made: readonly MadeRow[]
  /** Rows whose vector the column cannot store, with the reason. */
  readonly wrong: readonly FailedRow[]
  /** Rows for which the model returned null. */
  readonly leftOut: readonly WorkRow[]
  /** Rows for which the model fails although it works for others. */
  readonly poisoned: readonly FailedRow[]
}

/** A row that failed, and why. */
export interface FailedRow {
  readonly row: WorkRow
  readonly error: string
}

/**
 * The result of a batch: its rows, or why it failed as a whole; null if the worker was stopped. `isAlone`: each row failed
 * in a call of its own.
 */
export type BatchResult = Embedded | { readonly error: unknown; readonly isAlone: boolean } | null

// Without a single success, so many failed calls in a row mean that the model is down, not that the rows are at fault.
const MOST_FAILURES = 16

/** Calls the model for a batch, and checks that the column can store every vector. */
export async function embedBatch(model: Model, column: VectorColumn, rows: readonly WorkRow[]): Promise<BatchResult> {
  // A row that has failed before has had its attempts.
  const attempts = rows.every(({ rounds }) => rounds > 0) ? 1 : model.attempts
  const called = await callModel(model, rows, attempts)
  if (called === null) return null
  return 'error' in called ? { error: called.error, isAlone: rows.length === 1 } : sorted(column, rows, called.values)
}

/**
 * Finds the rows for which the model fails by halving the batch, so that the others get their vectors. If nothing
 * succeeds, the result is an error: then the model is at fault, not the rows.
 *
 * @param works Whether the model has answered another call in the meantime.
 */
export async function bisectBatch(
  model: Model,
  column: VectorColumn,
  rows: readonly WorkRow[],
  failure: unknown,
  works: () => boolean,
): Promise<BatchResult> {
  const parts = halves(rows)
  const found: Embedded[] = []
  const poisoned: FailedRow[] = []
  let failures = 0
  let error = failure
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    if (failures >= MOST_FAILURES && found.length === 0 && !works()) return { error, isAlone: false }
    const called = await callModel(model, part, 1)
    if (called === null) return null
    if ('values' in called) found.push(sorted(column, part, called.values))
    else {
      failures++
      error = called.error
      const [row] = part
      if (part.length === 1 && row !== undefined) poisoned.push({ row, error: errorMessage(called.error) })
      else parts.push(...halves(part))
    }
  }
  if (found.length === 0 && !works()) return { error, isAlone: true }
  return {
    made: found.flatMap(({ made }) => made),
    wrong: found.flatMap(({ wrong }) => wrong),
    leftOut: found.flatMap(({ leftOut }) => leftOut),
    poisoned,
  }
}

function halves(rows: readonly WorkRow[]): WorkRow[][] {
  const middle = Math.ceil(rows.length / 2)
  return [rows.slice(0, middle), rows.slice(middle)].filter((part) => part.length > 0)
}

function sorted(column: VectorColumn, rows: readonly WorkRow[], values: readonly unknown[]): Embedded {
  const made: MadeRow[] = []
  const wrong: FailedRow[] = []
  const leftOut: WorkRow[] = []
  for (const [place, row] of rows.entries()) {
    const value = values[place] as QueryVector | null | undefined
    if (value === null) leftOut.push(row)
    else {
      const checked = checkedBinary(value, column)
      if ('binary' in checked) made.push({ ...row, value: checked.binary })
      else wrong.push({ row, error: checked.problems.join('; ') })
    }
  }
  return { made, wrong, leftOut, poisoned: [] }
}
