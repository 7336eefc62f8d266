import type * as Zod from 'zod'

import { PgvectorMigrationError } from './errors.ts'

/** The parts of zod that a schema is made of. */
export type Z = typeof Zod.z

/** A zod schema that is made when it is first used. */
export interface LazySchema<Schema extends Zod.ZodType> {
  (): Schema
  /** What it makes of no options at all, where that is to be had without it; such a schema has the option logger. */
  readonly defaults?: Zod.output<Schema>
}

/** What a caller's options are after they were parsed. */
export type Parsed<Lazy extends LazySchema<Zod.ZodType>> = Zod.output<ReturnType<Lazy>>

/**
 * Defers the making of a schema: to load zod takes 45 ms, a tenth of a short command, and many a process never parses
 * an option.
 *
 * @example const options = lazySchema((z) => z.strictObject({ wait: z.int().default(1000) }))
 */
export function lazySchema<Schema extends Zod.ZodType>(
  make: (z: Z) => Schema,
  defaults?: Zod.output<Schema>,
): LazySchema<Schema> {
  let made: Schema | undefined
  return Object.assign(
    () => (made ??= make((require('zod') as typeof Zod).z)),
    defaults === undefined ? {} : { defaults },
  )
}

/** Parses what a caller passed, once, and reports all its problems together. */
export function parseOptions<Schema extends Zod.ZodType>(
  schema: LazySchema<Schema>,
  options: unknown,
): Zod.output<Schema> {
  const { defaults } = schema
  if (defaults !== undefined && isPlain(options)) {
    const names = Reflect.ownKeys(options)
    if (names.length === 0) return defaults
    // What is said most when an application starts.
    if (names.length === 1 && options['logger'] === false) return Object.assign({}, defaults, { logger: false })
  }
  const result = schema().safeParse(options)
  if (result.success) return result.data
  const problems = result.error.issues.map((issue) => {
    const path = issue.path.map((part) => (typeof part === 'number' ? `[${part}]` : String(part))).join('.')
    return path === '' ? issue.message : `${path.replaceAll('.[', '[')}: ${issue.message}`
  })
  throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
}

// One with a prototype of its own may have options there.
function isPlain(options: unknown): options is Readonly<Record<string, unknown>> {
  return typeof options === 'object' && options !== null && Object.getPrototypeOf(options) === Object.prototype
}
