import { nameOption } from '../core/options.ts'
import { PgvectorMigrationError } from '../core/errors.ts'
import { lazySchema, parseOptions } from '../core/parse-options.ts'
import { columnLabel } from '../columns/facts.ts'
import { isVectorColumn, type VectorColumn } from '../columns/column.ts'
import type { QueryVector } from '../columns/read-elements.ts'

/**
 * Calls your model and returns the vectors of rows, in the same order. A null leaves that row out.
 *
 * `signal` aborts when the result is no longer needed.
 */
export type Embed<Row> = (
  rows: readonly Row[],
  options: { readonly signal: AbortSignal },
) => PromiseLike<readonly (QueryVector | null)[]>

/** What a vector is made of, as a value: a column, the columns that your model reads, and the model. */
export interface Embedding {
  readonly column: VectorColumn
  /** The columns that your model reads. */
  readonly from: readonly string[]
  /** The name of the model. Vectors of another model are never counted as up to date. */
  readonly model: string
  /** Calls the model; null if every function is given its own. */
  readonly embed: Embed<Readonly<Record<string, unknown>>> | null
}

/** Options of {@link embedding}. */
export interface EmbeddingOptions<Row extends object = Record<string, unknown>> {
  /** The vector column, declared with `vectorColumn`. */
  readonly column: VectorColumn
  /** The columns of the table that your model reads. */
  readonly from: readonly (keyof Row & string)[]
  /** The name of the model, as you want to read it in reports. With a new name, every vector is computed again. */
  readonly model: string
  /** Calls your model. `npx knex-pgvector vectors work` needs it here; the functions also accept it as an option. */
  readonly embed?: Embed<Row> | undefined
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function'
}

const embeddingOptions = lazySchema((z) => {
  return z
    .strictObject({
      table: nameOption(),
      column: z.custom<VectorColumn>(isVectorColumn, 'must be created by vectorColumn'),
      from: z.array(nameOption(), 'must be a list of columns').min(1, 'must name a column'),
      model: z.string('must be a text').min(1, 'must not be empty'),
      embed: z
        .custom<NonNullable<Embedding['embed']>>(isFunction, 'must be a function that returns the vectors of rows')
        .optional(),
    })
    .superRefine(({ table, column, from }, context) => {
      if (column.table !== table) {
        const message = `is a column of ${column.table}, not of ${table}`
        context.addIssue({ code: 'custom', path: ['column'], message })
      }
      if (new Set(from).size < from.length) {
        context.addIssue({ code: 'custom', path: ['from'], message: 'names a column twice' })
      }
      if (from.includes(column.name)) {
        const message = 'must not name the vector column itself'
        context.addIssue({ code: 'custom', path: ['from'], message })
      }
    })
})

/**
 * Declares from which columns, and by which model, the vectors of a column are computed. It sends nothing to the server.
 *
 * @example
 * ```ts
 * const articles = embedding('articles', { column: small, from: ['title', 'body'], model: 'small-3' })
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, with every problem.
 */
export function embedding<Row extends object = Record<string, unknown>>(
  table: string,
  options: EmbeddingOptions<Row>,
): Embedding {
  const isObject = typeof options === 'object' && options !== null
  const parsed = parseOptions(embeddingOptions, isObject ? { ...options, table } : options)
  return { column: parsed.column, from: parsed.from, model: parsed.model, embed: parsed.embed ?? null }
}

/** Whether a value is an embedding. It is recognised by shape, because it may come from another copy of this package. */
export function isEmbedding(value: unknown): value is Embedding {
  if (typeof value !== 'object' || value === null) return false
  const { column, from, model } = value as Partial<Embedding>
  return isVectorColumn(column) && Array.isArray(from) && typeof model === 'string'
}

/** @throws {PgvectorMigrationError} INVALID_OPTIONS */
export function assertEmbedding(value: unknown): asserts value is Embedding {
  if (isEmbedding(value)) return
  throw new PgvectorMigrationError('INVALID_OPTIONS', { problems: ['embedding: must be created by embedding'] })
}

/** The embedding's name as messages print it. */
export function embeddingLabel({ column }: Embedding): string {
  return columnLabel(column)
}
