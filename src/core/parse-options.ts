import type * as Zod from 'zod'

import { PgvectorMigrationError } from './errors.ts'
import { nearName } from './near-name.ts'

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
    const message = `${issue.message}${issue.code === 'unrecognized_keys' ? meant(issue, schema()) : ''}`
    if (path !== '') return `${path.replaceAll('.[', '[')}: ${message}`
    return issue.code === 'invalid_type' ? `The options must be an object, not ${kindOf(options)}` : message
  })
  throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return `a ${typeof value}`
}

// Of several names it would not be clear which one is meant.
function meant({ keys, path }: Zod.core.$ZodIssueUnrecognizedKeys, schema: Zod.ZodType): string {
  const [key = '', another] = keys
  const near = another === undefined ? nearName(key, namesAt(schema, path)) : undefined
  return near === undefined ? '' : `. Did you mean "${near}"?`
}

/** The options that a schema knows at a place in it. */
function namesAt(schema: Zod.ZodType | undefined, path: readonly PropertyKey[]): readonly string[] {
  const { shape = null, unwrap } = (schema ?? {}) as Wrapped
  if (shape === null) return unwrap === undefined ? [] : namesAt(unwrap.call(schema), path)
  const [first, ...rest] = path
  return first === undefined ? Object.keys(shape) : namesAt(shape[String(first)], rest)
}

/** What a schema of an object has, or one that is optional or has a default. */
interface Wrapped {
  readonly shape?: Readonly<Record<string, Zod.ZodType>>
  readonly unwrap?: () => Zod.ZodType
}
