import { endianness } from 'node:os'

import { markBinary, type BinaryKind } from '../database/binary-value.ts'
import type { VectorType } from '../pgvector/vector-types.ts'
import type { Elements } from './elements.ts'
import { halfBits, numberOfHalf } from './half.ts'

/** How values of a type travel in PostgreSQL's binary format: what its receive function reads. */
interface WireFormat {
  readonly encode: (elements: Elements) => Buffer
  /** Null for bytes that are no such value. */
  readonly decode: (bytes: Buffer) => Elements | null
  /** The value as the type's input function reads it. */
  readonly textOf: (elements: Elements) => string
}

const isLittleEndian = endianness() === 'LE'

// Numbers of four bytes, in the order of the network.
function joined(parts: readonly (Int32Array | Float32Array)[]): Buffer {
  const bytes = Buffer.allocUnsafe(parts.reduce((sum, { byteLength }) => sum + byteLength, 0))
  let offset = 0
  for (const { buffer, byteOffset, byteLength } of parts) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), offset)
    offset += byteLength
  }
  return isLittleEndian ? bytes.swap32() : bytes
}

// A copy, because typed arrays begin at a multiple of their width.
function numbersAt(bytes: Buffer, start: number, end: number): ArrayBuffer {
  const copy = Buffer.from(new ArrayBuffer(end - start))
  bytes.copy(copy, 0, start, end)
  if (isLittleEndian) copy.swap32()
  return copy.buffer
}

function dense(values: Elements['values']): Elements {
  return { values, places: null, length: values.length }
}

const floats: WireFormat = {
  // int16 length, int16 0
  encode: ({ values, length }) => joined([Int32Array.of(length << 16), asFloats(values)]),
  decode: (bytes) => {
    if (bytes.length < 4 || bytes.length !== 4 + 4 * bytes.readUInt16BE(0)) return null
    return dense(new Float32Array(numbersAt(bytes, 4, bytes.length)))
  },
  textOf: ({ values }) => `[${Array.from(values, (value) => shortest(value, Math.fround)).join(',')}]`,
}

function asFloats(values: Elements['values']): Float32Array {
  return values instanceof Float32Array ? values : new Float32Array(values)
}

const halves: WireFormat = {
  encode: ({ values, length }) => {
    const bytes = Buffer.allocUnsafe(4 + 2 * length)
    bytes.writeUInt32BE(length * 2 ** 16)
    let offset = 4
    for (const value of values) offset = bytes.writeUInt16BE(halfBits(value), offset)
    return bytes
  },
  decode: (bytes) => {
    const length = bytes.length < 4 ? 0 : bytes.readUInt16BE(0)
    if (bytes.length !== 4 + 2 * length) return null
    const values = new Float32Array(length)
    for (let place = 0; place < length; place++) values[place] = numberOfHalf(bytes.readUInt16BE(4 + 2 * place))
    return dense(values)
  },
  textOf: ({ values }) => `[${Array.from(values, (value) => shortest(value, roundToHalf)).join(',')}]`,
}

function roundToHalf(value: number): number {
  return numberOfHalf(halfBits(value))
}

const sparse: WireFormat = {
  // int32 length, int32 elements that are not zero, int32 0, their places, their values
  encode: ({ values, places, length }) => {
    const kept: number[] = []
    for (const [at, value] of values.entries()) if (Math.fround(value) !== 0) kept.push(at)
    const keptPlaces = Int32Array.from(kept, (at) => places?.[at] ?? at)
    return joined([Int32Array.of(length, kept.length, 0), keptPlaces, Float32Array.from(kept, (at) => values[at] ?? 0)])
  },
  decode: (bytes) => {
    const [length, count] = bytes.length < 12 ? [0, 0] : [bytes.readInt32BE(0), bytes.readInt32BE(4)]
    if (bytes.length !== 12 + 8 * count) return null
    const places = Array.from(new Int32Array(numbersAt(bytes, 12, 12 + 4 * count)))
    const values = Array.from(new Float32Array(numbersAt(bytes, 12 + 4 * count, bytes.length)))
    return { values, places, length }
  },
  textOf: ({ values, places, length }) => {
    const entries = Array.from(values, (value, at) => `${(places?.[at] ?? at) + 1}:${shortest(value, Math.fround)}`)
    return `{${entries.join(',')}}/${length}`
  },
}

const bits: WireFormat = {
  // int32 length, then eight bits to the byte
  encode: ({ values, length }) => {
    const bytes = Buffer.alloc(4 + Math.ceil(length / 8))
    bytes.writeInt32BE(length)
    for (const [place, value] of values.entries()) {
      const at = 4 + (place >> 3)
      if (value === 1) bytes[at] = (bytes[at] ?? 0) | (128 >> (place & 7))
    }
    return bytes
  },
  decode: (bytes) => {
    const length = bytes.length < 4 ? 0 : bytes.readInt32BE(0)
    if (bytes.length !== 4 + Math.ceil(length / 8)) return null
    return dense(Array.from({ length }, (_, place) => ((bytes[4 + (place >> 3)] ?? 0) >> (7 - (place & 7))) & 1))
  },
  textOf: ({ values }) => values.join(''),
}

/** The formats of the types (vector.c, halfvec.c and sparsevec.c of pgvector, varbit.c of PostgreSQL). */
const formats = {
  vector: floats,
  halfvec: halves,
  sparsevec: sparse,
  bit: bits,
} as const satisfies Record<VectorType, WireFormat>

/** Returns a value in binary format. Its elements must be storable. */
export function encode(type: VectorType, elements: Elements): Buffer {
  return markBinary(formats[type].encode(elements), binaryKinds[type])
}

/** Reads a value in binary format; null for bytes that are no such value. */
export function decode(type: VectorType, bytes: Buffer): Elements | null {
  return formats[type].decode(bytes)
}

/** Returns the text of a value in binary format. */
export function binaryText(type: VectorType, bytes: Buffer): string {
  const elements = decode(type, bytes)
  return elements === null ? '' : formats[type].textOf(elements)
}

/** What values of each type in binary format are. */
export const binaryKinds = {
  vector: kindOf('vector'),
  halfvec: kindOf('halfvec'),
  sparsevec: kindOf('sparsevec'),
  bit: kindOf('bit'),
} as const satisfies Record<VectorType, BinaryKind>

function kindOf(type: VectorType): BinaryKind {
  return { name: type, textOf: (bytes) => binaryText(type, bytes) }
}

const MOST_DIGITS = 9

/** The shortest text of a number that its type rounds to the same number. */
function shortest(value: number, round: (value: number) => number): string {
  if (Object.is(value, -0)) return '-0'
  for (let digits = 1; digits < MOST_DIGITS; digits++) {
    const near = Number(value.toPrecision(digits))
    if (round(near) === value) return String(near)
  }
  return String(Number(value.toPrecision(MOST_DIGITS)))
}
