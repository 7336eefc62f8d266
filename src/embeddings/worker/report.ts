import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/options.ts'
import type { WorkEvent, WorkProgress } from './options.ts'
import type { FailedRow } from './embed-batch.ts'

/** Reports the progress of a worker: to the caller as events and warnings, and to the user through the logger. */
export interface WorkReport {
  readonly warnings: readonly string[]
  readonly warn: (message: string) => void
  readonly retry: (attempt: number, milliseconds: number, error: unknown) => void
  readonly failed: (failed: FailedRow) => void
  /** Adds to the number of rows that received their vector. */
  readonly add: (rows: number) => void
  readonly filled: () => number
  readonly failures: () => number
}

// A log needs a line only now and then.
const LINES_EVERY = 5000
// The warnings of an endless worker are not all kept.
const MOST_WARNINGS = 100

export function reportWork(
  label: string,
  total: number | null,
  onEvent: ((event: WorkEvent) => void) | undefined,
  logger: Logger,
): WorkReport {
  const warnings: string[] = []
  const started = performance.now()
  let filled = 0
  let failures = 0
  let lineAt = started + LINES_EVERY
  return {
    warnings,
    warn: (message) => {
      if (warnings.length < MOST_WARNINGS) warnings.push(message)
      logger.warn(message)
      onEvent?.({ type: 'warning', message })
    },
    retry: (attempt, milliseconds, error) => {
      logger.warn(`${label}: embed failed (${errorMessage(error)}); attempt ${attempt} in ${milliseconds} ms`)
      onEvent?.({ type: 'retry', attempt, milliseconds, error })
    },
    failed: ({ row, error }) => {
      failures++
      logger.warn(`${label}: the row with the key ${row.key.join(', ')} was given up: ${error}`)
      onEvent?.({ type: 'failed', key: row.key, error })
    },
    add: (rows) => {
      filled += rows
      const now = performance.now()
      const progress = progressOf(filled, total, (now - started) / 1000)
      onEvent?.({ type: 'progress', ...progress })
      if (now < lineAt) return
      lineAt = now + LINES_EVERY
      logger.info(lineOf(label, progress))
    },
    filled: () => filled,
    failures: () => failures,
  }
}

function progressOf(filled: number, total: number | null, seconds: number): WorkProgress {
  const rate = seconds > 0 && filled > 0 ? filled / seconds : null
  const left = total === null ? null : Math.max(0, total - filled)
  return {
    filled,
    total,
    rowsPerSecond: rate === null ? null : Math.round(rate * 10) / 10,
    secondsLeft: rate === null || left === null ? null : Math.round(left / rate),
  }
}

function lineOf(label: string, { filled, total, rowsPerSecond, secondsLeft }: WorkProgress): string {
  return [
    `${label}: ${filled}${total === null ? '' : ` of ${total}`} rows backfilled`,
    ...(rowsPerSecond === null ? [] : [`${rowsPerSecond} rows/s`]),
    ...(secondsLeft === null ? [] : [`${secondsLeft} s left`]),
  ].join(', ')
}
