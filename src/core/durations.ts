import ms from 'ms'

import { lazySchema, parseOptions } from './parse-options.ts'

/** A time: milliseconds, or a number with its unit as a text: '500ms', '60s', '5m', '2h'. */
export type Duration = number | string

// ms also accepts days, weeks, years, words and negative numbers.
const DURATION = /^\d{1,9}(?:\.\d{1,9})?(?:ms|s|m|h)$/

/** What PostgreSQL's timeouts and Node's timers can hold: 24.8 days. */
const LONGEST = 2 ** 31 - 1

/** The whole milliseconds of a text like '60s'; null where it is none. */
export function millisecondsOf(text: string): number | null {
  if (!DURATION.test(text)) return null
  const milliseconds = Math.round(ms(text as ms.StringValue))
  return milliseconds <= LONGEST ? milliseconds : null
}

/** An option that is a duration: both its forms become milliseconds. */
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

/** The same where 0 would mean no limit to PostgreSQL. */
export const positiveDurationOption = lazySchema(() =>
  durationOption().refine((milliseconds) => milliseconds !== 0, 'must be at least 1'),
)

/** Whether a value is a duration in milliseconds already. */
export function isMilliseconds(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= LONGEST
}

const DEFAULT_WAIT = 60_000

/** How long to wait for another run or session: `wait`, wherever it is an option. */
export const waitOption = lazySchema(() => durationOption().default(DEFAULT_WAIT))

/** PostgreSQL's lock_timeout where nothing is said, in milliseconds. */
export const DEFAULT_LOCK_TIMEOUT = 1000

/** How long a statement waits for its lock, and others behind it: `lockTimeout`, wherever it is an option. */
export const lockTimeoutOption = lazySchema(() => positiveDurationOption().default(DEFAULT_LOCK_TIMEOUT))

const waitOptions = lazySchema((z) => z.strictObject({ wait: waitOption() }))

/**
 * How many milliseconds to wait for another run; 60000 where nothing is said.
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS
 */
export function waitOf(wait: Duration = DEFAULT_WAIT): number {
  // A number needs no schema, and so a short command does not load zod.
  return isMilliseconds(wait) ? Number(wait) : parseOptions(waitOptions, { wait }).wait
}

/**
 * Milliseconds for people.
 *
 * @example millisecondsText(1500) // '1.5 s'
 */
export function millisecondsText(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`
  const seconds = milliseconds / 1000
  return secondsText(seconds < 10 ? Number(seconds.toFixed(1)) : Math.round(seconds))
}

/**
 * Seconds for people.
 *
 * @example secondsText(5400) // '1 h 30 min'
 */
export function secondsText(seconds: number): string {
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`
}
