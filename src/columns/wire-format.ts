import { endianness } from 'node:os'

import { markBinary, type BinaryKind } from '../database/binary-value.ts'
import type { VectorType } from '../pgvector/vector-types.ts'
import type { Elements } from './elements.ts'
import { shortestText } from './float-text.ts'
import { halfBits, numberOfHalf } from './half.ts'

/** How values of a type travel in PostgreSQL's binary format: what its receive function reads. */
interface WireFormat {
  readonly sizeOf: (elements: Elements) => number
  /** Writes the value at an offset, as many bytes as its size. */
  readonly write: (elements: Elements, bytes: Buffer, offset: number) => void
  /** Null for bytes that are no such value. */
  readonly decode: (bytes: Buffer) => Elements | null
  /** The value as the type's input function reads it. */
  readonly textOf: (elements: Elements) => string
}

const isLittleEndian = endianness() === 'LE'

// Numbers of four bytes, in the order of the network.
function writeNumbers(numbers: Int32Array | Float32Array, bytes: Buffer, offset: number): void {
  const { buffer, byteOffset, byteLength } = numbers
  bytes.set(new Uint8Array(buffer, byteOffset, byteLength), offset)
  if (isLittleEndian) bytes.subarray(offset, offset + byteLength).swap32()
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
  sizeOf: ({ length }) => 4 + 4 * length,
  write: ({ values, length }, bytes, offset) => {
    // The fastest way for every kind of list (measured); most other ways copy the numbers first.
    const view = new DataView(bytes.buffer, bytes.byteOffset + offset)
    view.setInt32(0, length << 16)
    for (let place = 0; place < length; place++) view.setFloat32(4 + 4 * place, values[place] ?? 0)
  },
  decode: (bytes) => {
    if (bytes.length < 4 || bytes.length !== 4 + 4 * bytes.readUInt16BE(0)) return null
    return dense(new Float32Array(numbersAt(bytes, 4, bytes.length)))
  },
  textOf: ({ values }) => `[${Array.from(values, (value) => shortestText(value, Math.fround)).join(',')}]`,
}

const halves: WireFormat = {
  sizeOf: ({ length }) => 4 + 2 * length,
  write: ({ values, length }, bytes, offset) => {
    let at = bytes.writeInt32BE(length << 16, offset)
    for (const value of values) at = bytes.writeUInt16BE(halfBits(value), at)
  },
  decode: (bytes) => {
    const length = bytes.length < 4 ? 0 : bytes.readUInt16BE(0)
    if (bytes.length !== 4 + 2 * length) return null
    const values = new Float32Array(length)
    for (let place = 0; place < length; place++) values[place] = numberOfHalf(bytes.readUInt16BE(4 + 2 * place))
    return dense(values)
  },
  textOf: ({ values }) => `[${Array.from(values, (value) => shortestText(value, roundToHalf)).join(',')}]`,
}

function roundToHalf(value: number): number {
  return numberOfHalf(halfBits(value))
}

// What rounds to zero is zero.
function nonZero(values: Elements['values']): number[] {
  const kept: number[] = []
  for (const [at, value] of values.entries()) if (Math.fround(value) !== 0) kept.push(at)
  return kept
}

const sparse: WireFormat = {
  // int32 length, int32 elements that are not zero, int32 0, their places, their values
  sizeOf: ({ values }) => 12 + 8 * nonZero(values).length,
  write: ({ values, places, length }, bytes, offset) => {
    const kept = nonZero(values)
    writeNumbers(Int32Array.of(length, kept.length, 0), bytes, offset)
    writeNumbers(
      Int32Array.from(kept, (at) => places?.[at] ?? at),
      bytes,
      offset + 12,
    )
    writeNumbers(
      Float32Array.from(kept, (at) => values[at] ?? 0),
      bytes,
      offset + 12 + 4 * kept.length,
    )
  },
  decode: (bytes) => {
    const [length, count] = bytes.length < 12 ? [0, 0] : [bytes.readInt32BE(0), bytes.readInt32BE(4)]
    if (bytes.length !== 12 + 8 * count) return null
    const places = Array.from(new Int32Array(numbersAt(bytes, 12, 12 + 4 * count)))
    const values = Array.from(new Float32Array(numbersAt(bytes, 12 + 4 * count, bytes.length)))
    return { values, places, length }
  },
  textOf: ({ values, places, length }) => {
    const entries = Array.from(values, (value, at) => `${(places?.[at] ?? at) + 1}:${shortestText(value, Math.fround)}`)
    return `{${entries.join(',')}}/${length}`
  },
}

const bits: WireFormat = {
  // int32 length, then eight bits to the byte
  sizeOf: ({ length }) => 4 + Math.ceil(length / 8),
  write: ({ values, length }, bytes, offset) => {
    const start = bytes.writeInt32BE(length, offset)
    bytes.fill(0, start, start + Math.ceil(length / 8))
    for (const [place, value] of values.entries()) {
      const at = start + (place >> 3)
      if (value === 1) bytes[at] = (bytes[at] ?? 0) | (128 >> (place & 7))
    }
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
  const bytes = Buffer.allocUnsafe(encodedSize(type, elements))
  encodeInto(type, elements, bytes, 0)
  return markBinary(bytes, binaryKinds[type])
}

/** Returns how many bytes such a value takes. */
export function encodedSize(type: VectorType, elements: Elements): number {
  return formats[type].sizeOf(elements)
}

/** Writes such a value into bytes that have room for it. */
export function encodeInto(type: VectorType, elements: Elements, bytes: Buffer, offset: number): void {
  formats[type].write(elements, bytes, offset)
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
