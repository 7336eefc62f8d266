const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/** Bytes for people, as PostgreSQL counts them: 1536 is 1.5 kB. */
export function sizeText(bytes: number): string {
  let size = bytes
  let unit = 0
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024
    unit++
  }
  return `${size >= 100 || Number.isInteger(size) ? Math.round(size) : size.toFixed(1)} ${UNITS[unit] ?? 'TB'}`
}
