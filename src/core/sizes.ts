import { lazySchema } from './parse-options.ts'

/** The bytes in PostgreSQL's units. */
export const bytesIn = { kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 } as const

const SIZE = /^(\d+)\s*(kB|MB|GB|TB)$/

function bytesOf(text: string): number {
  const [, count = '', unit = 'kB'] = SIZE.exec(text) ?? []
  return Number(count) * bytesIn[unit as keyof typeof bytesIn]
}

/** An option that is a size: bytes, or a text with a unit like '2GB'. */
export const sizeOption = lazySchema((z) =>
  z.union([z.int(), z.string().regex(SIZE).transform(bytesOf)], "must be whole bytes or a size like '2GB'"),
)

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/**
 * Formats bytes for printing, in PostgreSQL's units.
 *
 * @example sizeText(1536) // '1.5 kB'
 */
export function sizeText(bytes: number): string {
  let size = bytes
  let unit = 0
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024
    unit++
  }
  return `${size >= 100 || Number.isInteger(size) ? Math.round(size) : size.toFixed(1)} ${UNITS[unit] ?? 'TB'}`
}

/**
 * Formats an amount of memory in the units used to configure it: whole megabytes, rounded up, and gigabytes from 1 GB.
 *
 * @example memoryText(1_500_000) // '2 MB'
 */
export function memoryText(bytes: number): string {
  return bytes < bytesIn.GB ? `${mebibytes(bytes)} MB` : `${(bytes / bytesIn.GB).toFixed(1)} GB`
}

/** Converts to whole megabytes (of 1,048,576 bytes), rounded up. */
export function mebibytes(bytes: number): number {
  return Math.ceil(bytes / bytesIn.MB)
}
