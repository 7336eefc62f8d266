import ms from 'ms'

import { lazySchema, parseOptions } from './parse-options.ts'

/** A duration: milliseconds, or a number with its unit as text: '500ms', '60s', '5m', '2h'. */
export type Duration = number | string

// The package ms also accepts days, weeks, years, words and negative numbers.
const DURATION = /^\d{1,9}(?:\.\d{1,9})?(?:ms|s|m|h)$/

/** The maximum of PostgreSQL's timeouts and Node's timers: 24.8 days. */
const LONGEST = 2 ** 31 - 1

/** Returns the whole milliseconds of a text like '60s', or null if it is not a duration. */
export function millisecondsOf(text: string): number | null {
  if (!DURATION.test(text)) return null
  const milliseconds = Math.round(ms(text as ms.StringValue))
  return milliseconds <= LONGEST ? milliseconds : null
}

/** An option that is a duration. Both forms are parsed to milliseconds. @internal */
export const durationOption = lazySchema((z) =>
  z
    .union(
      [
        z.int(),
        z
          .string()
          .transform((text) => millisecondsOf(text) ?? Number.NaN)
          .pipe(z.int()),
      ],
      "must be whole milliseconds or a time like '500ms', '60s', '5m' or '2h'",
    )
    .refine((milliseconds) => milliseconds >= 0, 'must not be negative')
    .refine((milliseconds) => milliseconds <= LONGEST, `must be at most ${LONGEST} milliseconds`),
)

/** A duration that must be positive, because to PostgreSQL 0 means no limit. @internal */
export const positiveDurationOption = lazySchema(() =>
  durationOption().refine((milliseconds) => milliseconds !== 0, 'must be at least 1'),
)

/** Whether a value is already a duration in milliseconds. */
export function isMilliseconds(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= LONGEST
}

const DEFAULT_WAIT = 60_000

/** The option `wait`: how long to wait for another run or session. @internal */
export const waitOption = lazySchema(() => durationOption().default(DEFAULT_WAIT))

/** The default of PostgreSQL's lock_timeout for our statements, in milliseconds. */
export const DEFAULT_LOCK_TIMEOUT = 1000

/** The option `lockTimeout`: how long a statement waits for its lock, and other sessions behind it. @internal */
export const lockTimeoutOption = lazySchema(() => positiveDurationOption().default(DEFAULT_LOCK_TIMEOUT))

const waitOptions = lazySchema((z) => z.strictObject({ wait: waitOption() }))

/**
 * Returns how many milliseconds to wait for another run; default 60000.
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS
 */
export function waitOf(wait: Duration = DEFAULT_WAIT): number {
  // A number needs no schema, so a short command does not load zod.
  return isMilliseconds(wait) ? Number(wait) : parseOptions(waitOptions, { wait }).wait
}
