import type * as Zod from 'zod'

import { PgvectorMigrationError } from './errors.ts'

/** The part of zod that builds schemas. */
export type Z = typeof Zod.z

/** A zod schema that is created on first use. */
export type LazySchema<Schema extends Zod.ZodType> = () => Schema

/** A caller's options after parsing. */
export type Parsed<Lazy extends LazySchema<Zod.ZodType>> = Zod.output<ReturnType<Lazy>>

/**
 * Defers creating a schema. Loading zod takes 45 ms, a tenth of a short command, and many processes never parse an
 * option.
 *
 * @example const options = lazySchema((z) => z.strictObject({ wait: z.int().default(1000) }))
 */
export function lazySchema<Schema extends Zod.ZodType>(make: (z: Z) => Schema): LazySchema<Schema> {
  let made: Schema | undefined
  return () => (made ??= make((require('zod') as typeof Zod).z))
}

/** Parses a caller's options once, and reports all problems together. */
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
