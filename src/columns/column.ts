import { typeLimits, type VectorType } from '../pgvector/vector-types.ts'
import { PgvectorMigrationError } from '../core/errors.ts'
import { nameOption } from '../core/options.ts'
import { lazySchema, parseOptions } from '../core/parse-options.ts'
import { identifier, qualified } from '../core/sql.ts'

/** A column that holds vectors, as a value: said once, used by its migration, its index and its queries. */
export interface VectorColumn<Type extends VectorType = VectorType> {
  /** Null where the search path finds the table. */
  readonly schema: string | null
  readonly table: string
  readonly name: string
  readonly type: Type
  /** Null where values of any length are allowed; such a column cannot be indexed. */
  readonly dimensions: number | null
  readonly notNull: boolean
}

/** What {@link vectorColumn} may be told. */
export interface VectorColumnOptions<Type extends VectorType = VectorType> {
  /** Default 'vector'. */
  readonly type?: Type | undefined
  /** The length of every value: what your embedding model returns. An index needs it. */
  readonly dimensions?: number | undefined
  /** The schema of the table; default whichever the search path finds. */
  readonly schema?: string | undefined
  /** Refuse rows without a value; default false. */
  readonly notNull?: boolean | undefined
}

/** A check of several options together that also runs where one of them is wrong by itself, so that all is told at once. */
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
 * Describes a column that holds vectors; nothing is sent anywhere.
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

/** Whether a value is a column; by shape, because it may come from another copy of this package. */
export function isVectorColumn(value: unknown): value is VectorColumn {
  if (typeof value !== 'object' || value === null) return false
  const { table, name, type, dimensions } = value as Partial<VectorColumn>
  const isMeasured = dimensions === null || typeof dimensions === 'number'
  return typeof table === 'string' && typeof name === 'string' && vectorTypes.includes(type ?? 'vector') && isMeasured
}

/** @throws {PgvectorMigrationError} INVALID_OPTIONS */
export function assertColumn(value: unknown): asserts value is VectorColumn {
  if (isVectorColumn(value)) return
  throw new PgvectorMigrationError('INVALID_OPTIONS', { problems: ['column: must be made by vectorColumn'] })
}

/** The column's table, quoted, with its schema where one was given. */
export function tableOf({ schema, table }: Pick<VectorColumn, 'schema' | 'table'>): string {
  return schema === null ? identifier(table) : qualified(schema, table)
}

/**
 * A type with its length, quoted, as a statement needs it wherever the extension is (null: on the search path); bit is
 * PostgreSQL's own.
 *
 * @example typeSql('halfvec', 3072, 'extensions') // '"extensions"."halfvec"(3072)'
 */
export function typeSql(type: VectorType, dimensions: number | null, extensionSchema: string | null): string {
  // bit without a length is bit(1); a bit string of any length is varbit, which no index takes.
  if (type === 'bit' && dimensions !== null) return `bit(${dimensions})`
  if (type === 'bit') return extensionSchema === null ? 'varbit' : 'pg_catalog.varbit'
  const name = inExtension(type, extensionSchema)
  return dimensions === null ? name : `${name}(${dimensions})`
}

/** A type or function of the extension, quoted; a schema of null leaves it to the search path. */
export function inExtension(name: string, extensionSchema: string | null): string {
  return extensionSchema === null ? identifier(name) : qualified(extensionSchema, name)
}
