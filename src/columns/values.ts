import { PgvectorMigrationError } from '../core/errors.ts'
import type { VectorType } from '../pgvector/vector-types.ts'
import type { Metric } from '../pgvector/index-methods.ts'
import type { VectorColumn } from './column.ts'

/**
 * A vector: the numbers of an embedding, or text as `toSql` of the package pgvector returns it (`[1,2,3]`,
 * `{1:0.5,7:2}/30000`). For bit columns, the digits 0 and 1. For sparsevec columns, also a SparseVector of that package.
 */
export type QueryVector = readonly number[] | Float32Array | Float64Array | string | SparseText

/** A value that converts itself to the text of a sparsevec, like a SparseVector of the package pgvector. */
interface SparseText {
  toPostgres(): string
}

/** What a query vector is compared with. */
interface Comparison {
  readonly column: VectorColumn
  /** The type to which the server casts the query: the column's type, or halfvec if the index stores that. */
  readonly type: VectorType
  /** Null for a value that is stored, not compared. */
  readonly metric: Metric | null
}

/**
 * Returns the text of a query vector in the type that it is compared in, after checking that the server can compare it.
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, with every problem.
 */
export function queryVectorText(query: QueryVector, comparison: Comparison): string {
  const checked = checkedText(query, comparison)
  if ('text' in checked) return checked.text
  const { table, name } = comparison.column
  throw new PgvectorMigrationError('INVALID_OPTIONS', {
    problems: checked.problems.map((problem) => `the query for ${table}.${name}: ${problem}`),
  })
}

/** A vector as the server reads it, or everything that is wrong with it. */
export type CheckedText = { readonly text: string } | { readonly problems: readonly string[] }

/** Returns the text of a value for a column, or why the column cannot store it. */
export function valueText(value: QueryVector, column: VectorColumn): CheckedText {
  return checkedText(value, { column, type: column.type, metric: null })
}

function checkedText(vector: QueryVector, comparison: Comparison): CheckedText {
  const { type, metric } = comparison
  const elements = elementsOf(vector, type)
  if (elements === null) return { problems: [`must be ${forms[type]}`] }
  const problems = problemsOf(elements, comparison)
  if (metric === 'cosine' && elements.values.every((value) => value === 0)) {
    problems.push('is all zeros, and the cosine distance to a zero vector is undefined')
  }
  if (problems.length > 0) return { problems }
  return { text: elements.given ?? textOf[type](elements) }
}

/** The elements that are given, and the length of the vector. A sparse text gives only some of the elements. */
interface Elements {
  readonly values: readonly number[] | Float32Array | Float64Array
  readonly length: number
  /** The given text, if the server accepts it for this type; else null. */
  readonly given: string | null
}

// No text matches these patterns in two ways, so none backtracks. The elements of a list are read one by one.
const NUMBER = /^\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\s*$/
const PLACE = /^\s*\d+\s*$/
const LIST = /^\s*\[([^\]]*)\]\s*$/
const SPARSE = /^\s*\{([^}]*)\}\s*\/\s*(\d+)\s*$/
const BITS = /^[01]+$/

const forms = {
  vector: 'a list of numbers, or text like [1,2,3]',
  halfvec: 'a list of numbers, or text like [1,2,3]',
  sparsevec: 'a list of numbers, or text like {1:0.5,7:2}/30000',
  bit: 'a list of 0 and 1, or text like 0101',
} as const satisfies Record<VectorType, string>

function elementsOf(query: QueryVector, type: VectorType): Elements | null {
  if (typeof query === 'string') return elementsIn(query, type)
  if (type === 'sparsevec' && isSparseText(query)) return elementsIn(query.toPostgres(), type)
  return isList(query) && query.length > 0 ? { values: query, length: query.length, given: null } : null
}

// JavaScript callers can pass any value.
function isSparseText(query: unknown): query is SparseText {
  return typeof (query as Partial<SparseText> | null)?.toPostgres === 'function'
}

function isList(query: unknown): query is Elements['values'] {
  const isTyped = query instanceof Float32Array || query instanceof Float64Array
  return isTyped || (Array.isArray(query) && query.every(isNumber))
}

function elementsIn(text: string, type: VectorType): Elements | null {
  if (type === 'bit') {
    return BITS.test(text) ? { values: Array.from(text, Number), length: text.length, given: text } : null
  }
  const [, sparse, length] = type === 'sparsevec' ? (SPARSE.exec(text) ?? []) : []
  if (sparse !== undefined) {
    const values = sparse.trim() === '' ? [] : numbersIn(sparse.split(',').map(valueAtPlace))
    return values === null ? null : { values, length: Number(length), given: text }
  }
  const [, list] = LIST.exec(text) ?? []
  const values = list === undefined ? null : numbersIn(list.split(','))
  return values === null ? null : { values, length: values.length, given: type === 'sparsevec' ? null : text }
}

// An element of a sparse text is an index and a value.
function valueAtPlace(element: string): string {
  const colon = element.indexOf(':')
  return PLACE.test(element.slice(0, Math.max(0, colon))) ? element.slice(colon + 1) : ''
}

function numbersIn(texts: readonly string[]): readonly number[] | null {
  return texts.every((text) => NUMBER.test(text)) ? texts.map(Number) : null
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number'
}

// The smallest number that rounds to infinity. Types sparsevec and vector store four-byte numbers, halfvec two-byte
// ones.
const tooLarge = { vector: 2 ** 128 - 2 ** 103, sparsevec: 2 ** 128 - 2 ** 103, halfvec: 65_520 } as const

const NON_ZERO = 16_000

function problemsOf({ values, length }: Elements, { column, type }: Comparison): string[] {
  const problems: string[] = []
  if (column.dimensions !== null && length !== column.dimensions) {
    problems.push(`has ${length} dimensions, but the column has ${column.dimensions}`)
  }
  const wrong = values.findIndex((value) => !isComparable(value, type))
  if (wrong !== -1) problems.push(`element ${wrong + 1} is ${values[wrong]}, which a ${type} cannot hold`)
  if (type === 'sparsevec' && nonZero(values) > NON_ZERO) {
    problems.push(`has ${nonZero(values)} elements that are not zero, and a sparsevec holds at most ${NON_ZERO}`)
  }
  return problems
}

function isComparable(value: number, type: VectorType): boolean {
  return type === 'bit' ? value === 0 || value === 1 : Math.abs(value) < tooLarge[type]
}

function nonZero(values: Elements['values']): number {
  return Array.from(values).filter((value) => value !== 0).length
}

const textOf = {
  vector: ({ values }) => `[${values.join(',')}]`,
  halfvec: ({ values }) => `[${values.join(',')}]`,
  sparsevec: ({ values, length }) => {
    // Values that round to zero are removed too, because sparsevec alone rejects them as out of range.
    const entries = Array.from(values, (value, index) =>
      Math.fround(value) === 0 ? [] : [`${index + 1}:${value}`],
    ).flat()
    return `{${entries.join(',')}}/${length}`
  },
  bit: ({ values }) => values.join(''),
} as const satisfies Record<VectorType, (elements: Elements) => string>
