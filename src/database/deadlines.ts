import { positiveDurationOption, type Duration } from '../core/durations.ts'
import { lazySchema, parseOptions } from '../core/parse-options.ts'

/** How long the connections that this library opens by itself may take, in milliseconds. */
export interface Deadlines {
  /** To connect; default 10000. */
  readonly connect: number
  /** To wait for a lock on the tables of a run; default 10000. How long to wait for another run is its option `wait`. */
  readonly lock: number
  /** To answer a question; default 10000. */
  readonly ask: number
  /** To close a connection; default 5000. A statement that is still running is not waited for. */
  readonly close: number
  /**
   * After how long without an answer, and how often, the backend is looked up from a second connection; default 30000. A
   * statement that its backend works on is never cut off.
   */
  readonly probe: number
}

export const defaultDeadlines: Deadlines = { connect: 10_000, lock: 10_000, ask: 10_000, close: 5000, probe: 30_000 }

/** Deadlines as a caller gives them: milliseconds or texts like '10s'. */
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

/** The deadlines that a caller named, and the defaults of the others. */
export function deadlinesOf(options: DeadlineOptions | undefined): Deadlines {
  return options === undefined ? defaultDeadlines : parseOptions(deadlines, options)
}

/** Waits for work no longer than this; undefined where it is not done by then. */
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
