import { PgvectorMigrationError } from '../core/errors.ts'
import { typeLimits, type VectorType } from '../pgvector/vector-types.ts'
import type { Metric } from '../pgvector/index-methods.ts'
import type { VectorColumn } from './column.ts'
import type { Elements } from './elements.ts'
import { columnLabel } from './facts.ts'
import { elementsOf, type QueryVector } from './read-elements.ts'
import { encode } from './wire-format.ts'

/** What a query vector is compared with. */
interface Comparison {
  readonly column: VectorColumn
  /** The type to which the server casts the query: the column's type, or halfvec if the index stores that. */
  readonly type: VectorType
  readonly metric: Metric
}

/** What a value must fit. */
interface Fit {
  readonly type: VectorType
  /** Null for any length. */
  readonly dimensions: number | null
}

/**
 * Returns a query vector in the binary format of the type that it is compared in, after checking that the server can
 * compare it.
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, with every problem.
 */
export function queryVector(query: QueryVector, { column, type, metric }: Comparison): Buffer {
  const checked = checkedBinary(query, { type, dimensions: column.dimensions }, metric === 'cosine')
  return binaryOrThrow(checked, `the query for ${columnLabel(column)}`)
}

/** A value in binary format, or everything that is wrong with it. */
export type CheckedBinary = { readonly binary: Buffer } | { readonly problems: readonly string[] }

/** Returns a value in binary format, or why a column or type cannot store it. */
export function checkedBinary(value: unknown, fit: Fit, needsDirection = false): CheckedBinary {
  const checked = checkedElements(value, fit, needsDirection)
  return 'problems' in checked ? checked : { binary: encode(fit.type, checked) }
}

/** Returns the elements of a value, or why a column or type cannot store it. */
export function checkedElements(
  value: unknown,
  fit: Fit,
  needsDirection = false,
): Elements | { readonly problems: readonly string[] } {
  const { type } = fit
  const elements = elementsOf(value, type)
  if (elements === null) return { problems: [`must be ${forms[type]}`] }
  const problems = problemsOf(elements, fit)
  if (needsDirection && elements.values.every((element) => element === 0)) {
    problems.push('is all zeros, and the cosine distance to a zero vector is undefined')
  }
  return problems.length > 0 ? { problems } : elements
}

/** @throws {PgvectorMigrationError} INVALID_OPTIONS, with every problem. */
export function binaryOrThrow(checked: CheckedBinary, label: string): Buffer {
  if ('binary' in checked) return checked.binary
  throw new PgvectorMigrationError('INVALID_OPTIONS', {
    problems: checked.problems.map((problem) => `${label}: ${problem}`),
  })
}

const forms = {
  vector: 'a list of numbers, or text like [1,2,3]',
  halfvec: 'a list of numbers, or text like [1,2,3]',
  sparsevec: 'a list of numbers, or text like {1:0.5,7:2}/30000',
  bit: 'a list of 0 and 1, or text like 0101',
} as const satisfies Record<VectorType, string>

// The smallest number, after rounding to four bytes, that the type cannot hold.
const tooLarge = { vector: Infinity, sparsevec: Infinity, halfvec: 65_520 } as const

const NON_ZERO = 16_000

function problemsOf(elements: Elements, { type, dimensions }: Fit): string[] {
  const { values, places, length } = elements
  const problems: string[] = []
  const most = typeLimits[type].column
  if (dimensions !== null && length !== dimensions) {
    problems.push(`has ${length} dimensions, but the column has ${dimensions}`)
  } else if (length > most || length < 1) {
    problems.push(`has ${length} dimensions, and a ${type} has 1 to ${most}`)
  }
  const wrong = type === 'bit' ? firstOtherThanBit(values) : firstTooLarge(values, tooLarge[type])
  if (wrong !== -1)
    problems.push(`element ${(places?.[wrong] ?? wrong) + 1} is ${values[wrong]}, which a ${type} cannot hold`)
  if (places !== null) problems.push(...wrongPlaces(places, length))
  const count = type === 'sparsevec' ? countNonZero(values) : 0
  if (count > NON_ZERO) {
    problems.push(`has ${count} elements that are not zero, and a sparsevec holds at most ${NON_ZERO}`)
  }
  return problems
}

function firstOtherThanBit(values: Elements['values']): number {
  return values.findIndex((value) => value !== 0 && value !== 1)
}

// A loop, because it runs over every number that is sent.
function firstTooLarge(values: Elements['values'], limit: number): number {
  for (let at = 0; at < values.length; at++) if (!(Math.abs(Math.fround(values[at] ?? 0)) < limit)) return at
  return -1
}

function wrongPlaces(places: readonly number[], length: number): string[] {
  const outside = places.find((place) => !Number.isInteger(place) || place < 0 || place >= length)
  if (outside !== undefined) return [`element ${outside + 1} is not one of its ${length}`]
  const twice = places.find((place, at) => at > 0 && place === places[at - 1])
  return twice === undefined ? [] : [`element ${twice + 1} is given twice`]
}

function countNonZero(values: Elements['values']): number {
  let count = 0
  for (const value of values) if (value !== 0) count++
  return count
}
