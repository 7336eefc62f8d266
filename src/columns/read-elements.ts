import { types } from 'node:util'

import { binaryKindOf } from '../database/binary-value.ts'
import type { VectorType } from '../pgvector/vector-types.ts'
import type { Elements, SparseVector } from './elements.ts'
import { decode } from './wire-format.ts'

/**
 * A vector: the numbers of an embedding, text as `toSql` of the package pgvector returns it (`[1,2,3]`,
 * `{1:0.5,7:2}/30000`), or a Buffer that {@link toBinary} returned. For bit columns, the digits 0 and 1. For sparsevec
 * columns, also a {@link SparseVector}, like that of the package pgvector.
 */
export type QueryVector = readonly number[] | Float32Array | Float64Array | string | SparseVector | SparseText | Buffer

/** A value that converts itself to the text of a sparsevec. */
interface SparseText {
  toPostgres(): string
}

/** Reads the elements of a value for a type; null if it has no form of that type. JavaScript callers can pass any value. */
export function elementsOf(value: unknown, type: VectorType): Elements | null {
  if (typeof value === 'string') return elementsIn(value, type)
  if (isList(value)) return value.length > 0 ? { values: value, places: null, length: value.length } : null
  if (Buffer.isBuffer(value)) return elementsInBinary(value, type)
  if (type !== 'sparsevec') return null
  if (isSparseVector(value)) return inOrder(value.indices, value.values, value.dimensions)
  return isSparseText(value) ? elementsIn(value.toPostgres(), type) : null
}

const denseTypes: ReadonlySet<string> = new Set(['vector', 'halfvec'])

function elementsInBinary(bytes: Buffer, type: VectorType): Elements | null {
  const given = binaryKindOf(bytes)?.name ?? ''
  if (given === type) return decode(type, bytes)
  // The index of a column can store another type than the column.
  const [from] = denseTypes.has(given) && denseTypes.has(type) ? [given as VectorType] : []
  return from === undefined ? null : decode(from, bytes)
}

function isList(value: unknown): value is Elements['values'] {
  // By their inner class, because jest has classes of its own.
  return types.isFloat32Array(value) || types.isFloat64Array(value) || (Array.isArray(value) && areNumbers(value))
}

// A loop, because it runs over every number that is sent, and `every` skips the holes of a sparse array.
function areNumbers(values: readonly unknown[]): boolean {
  for (let at = 0; at < values.length; at++) if (typeof values[at] !== 'number') return false
  return true
}

function isSparseVector(value: unknown): value is SparseVector {
  const { dimensions, indices, values } = (value ?? {}) as Partial<SparseVector>
  return typeof dimensions === 'number' && isList(indices) && isList(values) && indices.length === values.length
}

function isSparseText(value: unknown): value is SparseText {
  return typeof (value as Partial<SparseText> | null)?.toPostgres === 'function'
}

// No text matches these patterns in two ways, so none backtracks. The elements of a list are read one by one.
const NUMBER = /^\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\s*$/
const PLACE = /^\s*\d+\s*$/
const LIST = /^\s*\[([^\]]*)\]\s*$/
const SPARSE = /^\s*\{([^}]*)\}\s*\/\s*(\d+)\s*$/
const BITS = /^[01]+$/

function elementsIn(text: string, type: VectorType): Elements | null {
  if (type === 'bit') {
    return BITS.test(text) ? { values: Array.from(text, Number), places: null, length: text.length } : null
  }
  const [, sparse, length] = type === 'sparsevec' ? (SPARSE.exec(text) ?? []) : []
  if (sparse !== undefined) return sparseElementsIn(sparse, Number(length))
  const [, list] = LIST.exec(text) ?? []
  const values = list === undefined ? null : numbersIn(list.split(','))
  return values === null ? null : { values, places: null, length: values.length }
}

function sparseElementsIn(text: string, length: number): Elements | null {
  const pairs = text.trim() === '' ? [] : text.split(',').map((pair) => pair.split(':'))
  if (!pairs.every(([place = '', , ...more]) => PLACE.test(place) && more.length === 0)) return null
  const values = numbersIn(pairs.map(([, value = '']) => value))
  // The server counts them from 1.
  const places = pairs.map(([place]) => Number(place) - 1)
  return values === null ? null : inOrder(places, values, length)
}

function numbersIn(texts: readonly string[]): readonly number[] | null {
  return texts.every((text) => NUMBER.test(text)) ? texts.map(Number) : null
}

// The server sorts the elements of a text, and refuses those in binary format that are not sorted.
function inOrder(indices: readonly number[], values: readonly number[], length: number): Elements {
  const isSorted = indices.every((index, place) => place === 0 || index > (indices[place - 1] ?? index))
  if (isSorted) return { values, places: indices, length }
  const order = indices.map((_, place) => place).toSorted((left, right) => (indices[left] ?? 0) - (indices[right] ?? 0))
  return {
    values: order.map((place) => values[place] ?? 0),
    places: order.map((place) => indices[place] ?? 0),
    length,
  }
}
