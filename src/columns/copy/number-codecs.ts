import { shortestText } from '../float-text.ts'
import type { ByteWriter } from './byte-writer.ts'
import { ownCodec, type Codec } from './codec.ts'

const DIGITS = /^[+-]?\d{1,20}$/

function integerOf(value: unknown): bigint | null {
  if (typeof value === 'bigint') return value
  if (typeof value === 'string') return DIGITS.test(value) ? BigInt(value) : null
  return Number.isSafeInteger(value) ? BigInt(value as number) : null
}

function integer(bits: number, write: (value: number, to: ByteWriter) => void): Codec['write'] {
  const most = 2 ** (bits - 1)
  return (value, to) => {
    const number = typeof value === 'number' ? value : Number(integerOf(value) ?? Number.NaN)
    if (!Number.isInteger(number) || number < -most || number >= most) {
      return `must be a whole number from ${-most} to ${most - 1}`
    }
    write(number, to)
    return null
  }
}

function float(write: (value: number, to: ByteWriter) => void, isInRange: (value: number) => boolean): Codec['write'] {
  return (value, to) => {
    if (typeof value !== 'number') return 'must be a number'
    if (!isInRange(value)) return `is ${value}, which is out of range`
    write(value, to)
    return null
  }
}

/** Whole numbers, and numbers with a floating point. */
export const numberCodecs: readonly Codec[] = [
  ownCodec('int2', 21, { write: integer(16, (value, to) => to.int16(value)), read: (bytes) => bytes.readInt16BE() }),
  ownCodec('int4', 23, { write: integer(32, (value, to) => to.int32(value)), read: (bytes) => bytes.readInt32BE() }),
  ownCodec('int8', 20, {
    write: (value, to) => {
      const number = integerOf(value)
      if (number === null) return 'must be a whole number; beyond 2^53, a bigint or its text'
      if (BigInt.asIntN(64, number) !== number) return 'must be a whole number of 64 bits'
      to.int64(number)
      return null
    },
    // As node-postgres returns it, because not every one is a number in JavaScript.
    read: (bytes) => String(bytes.readBigInt64BE()),
  }),
  ownCodec('float4', 700, {
    write: float(
      (value, to) => to.float4(value),
      (value) => !Number.isFinite(value) || Number.isFinite(Math.fround(value)),
    ),
    // As node-postgres returns it: the number of its shortest text.
    read: (bytes) => Number(shortestText(bytes.readFloatBE(), Math.fround)),
  }),
  ownCodec('float8', 701, {
    write: float(
      (value, to) => to.float8(value),
      () => true,
    ),
    read: (bytes) => bytes.readDoubleBE(),
  }),
]
