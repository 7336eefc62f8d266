// Two-byte floating-point numbers (IEEE 754 binary16) as bits. Node has no array of them before version 24.

const float = new Float32Array(1)
const bits = new Uint32Array(float.buffer)

const SIGN = 0x8000
const INFINITE = 0x7c00
const FRACTION = 0x3ff
// The smallest normal number, 2 to the power of -14, as a four-byte number.
const SMALLEST_NORMAL = 0x38800000
const REBIAS = 0x38000000

/** The bits of the nearest two-byte number, of two equally near ones the even one, as the server rounds. */
export function halfBits(value: number): number {
  float[0] = value
  const [all = 0] = bits
  const magnitude = all & 0x7fffffff
  const sign = (all >>> 16) & SIGN
  if (magnitude < SMALLEST_NORMAL) return sign | roundToEven(Math.abs(Math.fround(value)) * 2 ** 24)
  return sign | ((magnitude - REBIAS + 0xfff + ((magnitude >>> 13) & 1)) >>> 13)
}

function roundToEven(value: number): number {
  const rounded = Math.round(value)
  return rounded - value === 0.5 && rounded % 2 === 1 ? rounded - 1 : rounded
}

/** The number that these bits stand for. */
export function numberOfHalf(half: number): number {
  const sign = (half & SIGN) === 0 ? 1 : -1
  const magnitude = half & 0x7fff
  if (magnitude >= INFINITE) return magnitude === INFINITE ? sign * Infinity : Number.NaN
  if (magnitude <= FRACTION) return sign * magnitude * 2 ** -24
  bits[0] = (magnitude << 13) + REBIAS
  return sign * (float[0] ?? 0)
}
