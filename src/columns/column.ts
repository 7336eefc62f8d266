import { typeLimits, type VectorType } from '../pgvector/vector-types.ts'
import { PgvectorMigrationError } from '../core/errors.ts'
import { nameOption } from '../core/options.ts'
import { lazySchema, parseOptions } from '../core/parse-options.ts'
import { identifier, qualified } from '../core/sql.ts'

/** A vector column as a value. You declare it once, and its migration, its index and its queries use it. */
export interface VectorColumn<Type extends VectorType = VectorType> {
  /** Null if the search path finds the table. */
  readonly schema: string | null
  readonly table: string
  readonly name: string
  readonly type: Type
  /** Null if values of any length are allowed. Such a column cannot be indexed. */
  readonly dimensions: number | null
  readonly notNull: boolean
}

/** Options of {@link vectorColumn}. */
export interface VectorColumnOptions<Type extends VectorType = VectorType> {
  /** The type: `vector`, `halfvec`, `sparsevec` or `bit`; default: `vector`. */
  readonly type?: Type | undefined
  /** The length of every value, as your embedding model returns it. An index requires it. */
  readonly dimensions?: number | undefined
  /** The schema of the table; default: the one that the search path finds. */
  readonly schema?: string | undefined
  /** Reject rows without a value; default false. */
  readonly notNull?: boolean | undefined
}

/**
 * Runs a check of several options even if one of them is invalid by itself, so that all problems are reported at once.
 */
export const evenAfterOtherProblems = {
  when: ({ value }: { readonly value: unknown }): boolean => typeof value === 'object' && value !== null,
}

const vectorTypes = Object.keys(typeLimits) as readonly VectorType[]

const columnOptions = lazySchema((z) =>
  z
    .strictObject({
      table: nameOption(),
      name: nameOption(),
      type: z.enum(vectorTypes, `must be one of ${vectorTypes.join(', ')}`).default('vector'),
      dimensions: z.int('must be a whole number').min(1, 'must be at least 1').optional(),
      schema: nameOption().optional(),
      notNull: z.boolean('must be true or false').default(false),
    })
    .superRefine(({ type, dimensions = 1 }, context) => {
      const most = Object.hasOwn(typeLimits, type) ? typeLimits[type].column : Infinity
      if (!Number.isInteger(dimensions) || dimensions <= most) return
      const message = `must be at most ${most}, the limit of a ${type} column`
      context.addIssue({ code: 'custom', path: ['dimensions'], message })
    }, evenAfterOtherProblems),
)

/**
 * Declares a vector column. It sends nothing to the server.
 *
 * @example
 * ```ts
 * const embedding = vectorColumn('documents', 'embedding', { type: 'halfvec', dimensions: 3072 })
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, with every problem: a name that is empty or longer than 63 bytes,
 * more dimensions than the type can hold.
 */
export function vectorColumn<const Type extends VectorType = 'vector'>(
  table: string,
  name: string,
  options: VectorColumnOptions<Type> = {},
): VectorColumn<Type> {
  const parsed = parseOptions(columnOptions, isObject(options) ? { ...options, table, name } : options)
  return {
    schema: parsed.schema ?? null,
    table: parsed.table,
    name: parsed.name,
    type: parsed.type as Type,
    dimensions: parsed.dimensions ?? null,
    notNull: parsed.notNull,
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

/** Whether a value is a column. It is recognised by shape, because it may come from another copy of this package. */
export function isVectorColumn(value: unknown): value is VectorColumn {
  if (typeof value !== 'object' || value === null) return false
  const { table, name, type, dimensions } = value as Partial<VectorColumn>
  const isMeasured = dimensions === null || typeof dimensions === 'number'
  return typeof table === 'string' && typeof name === 'string' && vectorTypes.includes(type ?? 'vector') && isMeasured
}

/** @throws {PgvectorMigrationError} INVALID_OPTIONS */
export function assertColumn(value: unknown): asserts value is VectorColumn {
  if (isVectorColumn(value)) return
  throw new PgvectorMigrationError('INVALID_OPTIONS', { problems: ['column: must be created by vectorColumn'] })
}

/** Returns the column's table, quoted, with its schema if one was given. */
export function tableOf({ schema, table }: Pick<VectorColumn, 'schema' | 'table'>): string {
  return schema === null ? identifier(table) : qualified(schema, table)
}

/**
 * Returns a type with its length, quoted, as a statement needs it wherever the extension is (null: on the search path).
 * The type bit belongs to PostgreSQL.
 *
 * @example typeSql('halfvec', 3072, 'extensions') // '"extensions"."halfvec"(3072)'
 */
export function typeSql(type: VectorType, dimensions: number | null, extensionSchema: string | null): string {
  // In PostgreSQL, bit without a length is bit(1). A bit string of any length is varbit, which no index accepts.
  if (type === 'bit' && dimensions !== null) return `bit(${dimensions})`
  if (type === 'bit') return extensionSchema === null ? 'varbit' : 'pg_catalog.varbit'
  const name = inExtension(type, extensionSchema)
  return dimensions === null ? name : `${name}(${dimensions})`
}

/** Returns a type or function of the extension, quoted. With a schema of null, the search path resolves it. */
export function inExtension(name: string, extensionSchema: string | null): string {
  return extensionSchema === null ? identifier(name) : qualified(extensionSchema, name)
}
