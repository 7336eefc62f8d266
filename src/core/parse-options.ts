import type * as Zod from 'zod'

import { PgvectorMigrationError } from './errors.ts'

/** The parts of zod that a schema is made of. */
export type Z = typeof Zod.z

/** A zod schema that is made when it is first used. */
export type LazySchema<Schema extends Zod.ZodType> = () => Schema

/** What a caller's options are after they were parsed. */
export type Parsed<Lazy extends LazySchema<Zod.ZodType>> = Zod.output<ReturnType<Lazy>>

/**
 * Defers the making of a schema: to load zod takes 45 ms, a tenth of a short command, and many a process never parses
 * an option.
 *
 * @example const options = lazySchema((z) => z.strictObject({ wait: z.int().default(1000) }))
 */
export function lazySchema<Schema extends Zod.ZodType>(make: (z: Z) => Schema): LazySchema<Schema> {
  let made: Schema | undefined
  return () => (made ??= make((require('zod') as typeof Zod).z))
}

/** Parses what a caller passed, once, and reports all its problems together. */
export function parseOptions<Schema extends Zod.ZodType>(
  schema: LazySchema<Schema>,
  options: unknown,
): Zod.output<Schema> {
  const result = schema().safeParse(options)
  if (result.success) return result.data
  const problems = result.error.issues.map((issue) => {
    const path = issue.path.map((part) => (typeof part === 'number' ? `[${part}]` : String(part))).join('.')
    return path === '' ? issue.message : `${path.replaceAll('.[', '[')}: ${issue.message}`
  })
  throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
}
