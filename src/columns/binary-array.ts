import { markBinary, type BinaryKind } from '../database/binary-value.ts'
import type { VectorColumn } from './column.ts'
import { binaryKinds } from './wire-format.ts'

// PostgreSQL's own types. Those of an extension have other OIDs on every database, and 0 is accepted for them.
const BIT = 1560
const VARBIT = 1562

/**
 * Returns values of a column, each in binary format, as one array in binary format: the parameter of a statement with
 * `$1::vector[]`, or the type that `typeSql` returns. One statement then serves any number of values.
 *
 * @example binaryArray(column, [toBinary(column, first), null])
 */
export function binaryArray({ type, dimensions }: VectorColumn, values: readonly (Buffer | null)[]): Buffer {
  const own = dimensions === null ? VARBIT : BIT
  return arrayOf({ oid: type === 'bit' ? own : 0, kind: binaryKinds[type] }, values)
}

/** The type of an array's elements. */
export interface ElementType {
  readonly oid: number
  readonly kind: BinaryKind
}

/** Returns elements in binary format as a one-dimensional array in binary format. */
export function arrayOf({ oid, kind }: ElementType, values: readonly (Buffer | null)[]): Buffer {
  const bytes = Buffer.allocUnsafe(values.reduce((sum, value) => sum + 4 + (value?.length ?? 0), 20))
  // An array without elements has no dimensions.
  const head = [values.length === 0 ? 0 : 1, values.includes(null) ? 1 : 0, oid, values.length, 1]
  let offset = 0
  for (const number of head) offset = bytes.writeInt32BE(number, offset)
  for (const value of values) {
    offset = bytes.writeInt32BE(value?.length ?? -1, offset)
    if (value !== null) offset += value.copy(bytes, offset)
  }
  const name = `${kind.name}[]`
  return markBinary(values.length === 0 ? bytes.subarray(0, 12) : bytes, {
    name,
    textOf: () => arrayText(kind, values),
  })
}

function arrayText({ textOf }: BinaryKind, values: readonly (Buffer | null)[]): string {
  return `{${values.map((value) => (value === null ? 'NULL' : quoted(textOf(value)))).join(',')}}`
}

function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`
}
