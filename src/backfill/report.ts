import { errorMessage } from '../core/errors.ts'
import type { Logger } from '../core/options.ts'
import type { BackfillEvent, BackfillProgress } from './options.ts'

/** Reports the progress of a backfill: to the caller as events and warnings, and to the user through the logger. */
export interface BackfillReport {
  readonly warnings: readonly string[]
  readonly warn: (message: string) => void
  readonly retry: (attempt: number, milliseconds: number, error: unknown) => void
  /** Adds to the number of rows that received their vector. */
  readonly add: (rows: number) => void
  readonly filled: () => number
}

// A log needs a line only now and then.
const LINES_EVERY = 5000

export function reportBackfill(
  label: string,
  total: number | null,
  onEvent: ((event: BackfillEvent) => void) | undefined,
  logger: Logger,
): BackfillReport {
  const warnings: string[] = []
  const started = performance.now()
  let filled = 0
  let lineAt = started + LINES_EVERY
  return {
    warnings,
    warn: (message) => {
      warnings.push(message)
      logger.warn(message)
      onEvent?.({ type: 'warning', message })
    },
    retry: (attempt, milliseconds, error) => {
      logger.warn(`${label}: embed failed (${errorMessage(error)}); attempt ${attempt} in ${milliseconds} ms`)
      onEvent?.({ type: 'retry', attempt, milliseconds, error })
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
  }
}

function progressOf(filled: number, total: number | null, seconds: number): BackfillProgress {
  const rate = seconds > 0 && filled > 0 ? filled / seconds : null
  const left = total === null ? null : Math.max(0, total - filled)
  return {
    filled,
    total,
    rowsPerSecond: rate === null ? null : Math.round(rate * 10) / 10,
    secondsLeft: rate === null || left === null ? null : Math.round(left / rate),
  }
}

function lineOf(label: string, { filled, total, rowsPerSecond, secondsLeft }: BackfillProgress): string {
  return [
    `${label}: ${filled}${total === null ? '' : ` of ${total}`} rows backfilled`,
    ...(rowsPerSecond === null ? [] : [`${rowsPerSecond} rows/s`]),
    ...(secondsLeft === null ? [] : [`${secondsLeft} s left`]),
  ].join(', ')
}
