import type { CopyEvent } from './options.ts'

/** Counts what was read from the source, and reports it. */
export interface CopyCount {
  rows: number
  bytes: number
  /** Reports the progress if the last report is a second old. */
  readonly report: () => void
  /** Reports it in any case. */
  readonly end: () => void
}

const EVERY_MILLISECONDS = 1000

export function startCount(onEvent: ((event: CopyEvent) => void) | undefined): CopyCount {
  const started = performance.now()
  let next = started + EVERY_MILLISECONDS
  const count: CopyCount = {
    rows: 0,
    bytes: 0,
    report: () => {
      if (performance.now() >= next) count.end()
    },
    end: () => {
      const now = performance.now()
      next = now + EVERY_MILLISECONDS
      const rowsPerSecond = Math.round((count.rows / Math.max(now - started, 1)) * 1000)
      onEvent?.({ type: 'progress', rows: count.rows, bytes: count.bytes, rowsPerSecond })
    },
  }
  return count
}
