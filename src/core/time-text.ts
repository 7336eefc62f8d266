/**
 * Formats a moment for printing, to the second.
 *
 * @example timeText('2026-11-26T11:26:34.300389+00:00') // '2026-11-26 11:26:34 UTC'
 */
export function timeText(iso: string): string {
  const time = new Date(iso)
  return Number.isNaN(time.getTime()) ? iso : `${time.toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

/**
 * Formats milliseconds for printing.
 *
 * @example millisecondsText(1500) // '1.5 s'
 */
export function millisecondsText(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`
  const seconds = milliseconds / 1000
  return secondsText(seconds < 10 ? Number(seconds.toFixed(1)) : Math.round(seconds))
}

/**
 * Formats seconds for printing.
 *
 * @example secondsText(5400) // '1 h 30 min'
 */
export function secondsText(seconds: number): string {
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`
}
