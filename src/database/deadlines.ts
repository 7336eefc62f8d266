import { positiveDurationOption, type Duration } from '../core/durations.ts'
import { lazySchema, parseOptions } from '../core/parse-options.ts'

/** Time limits, in milliseconds, for the connections that this library opens itself. */
export interface Deadlines {
  /** To connect; default 10000. */
  readonly connect: number
  /** To wait for a lock on the tables of a run; default 10000. The option `wait` limits the wait for another run. */
  readonly lock: number
  /** To answer a query; default 10000. */
  readonly ask: number
  /** To close a connection; default 5000. It does not wait for a statement that is still running. */
  readonly close: number
  /**
   * After this time without an answer, and then in this interval, a second connection checks the backend; default
   * 30000. A statement that its backend is working on is never interrupted.
   */
  readonly probe: number
}

export const defaultDeadlines: Deadlines = { connect: 10_000, lock: 10_000, ask: 10_000, close: 5000, probe: 30_000 }

/** Deadlines as a caller writes them: milliseconds, or text like '10s'. */
export type DeadlineOptions = { readonly [Name in keyof Deadlines]?: Duration | undefined }

const deadlines = lazySchema((z) => {
  const { connect, lock, ask, close, probe } = defaultDeadlines
  return z.strictObject({
    connect: positiveDurationOption().default(connect),
    lock: positiveDurationOption().default(lock),
    ask: positiveDurationOption().default(ask),
    close: positiveDurationOption().default(close),
    probe: positiveDurationOption().default(probe),
  })
})

/** Returns the caller's deadlines, completed with the defaults. */
export function deadlinesOf(options: DeadlineOptions | undefined): Deadlines {
  return options === undefined ? defaultDeadlines : parseOptions(deadlines, options)
}

/** Waits for work for at most this time; undefined if it is not done by then. */
export async function within<Result>(milliseconds: number, work: Promise<Result>): Promise<Result | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), milliseconds)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
