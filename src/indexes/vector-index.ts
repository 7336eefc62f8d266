import type { VectorType } from '../pgvector/vector-types.ts'
import { PgvectorMigrationError } from '../core/errors.ts'
import { indexName } from '../core/names.ts'
import { conditionOption, nameOption } from '../core/options.ts'
import { lazySchema, parseOptions, type Z } from '../core/parse-options.ts'
import { identifier, qualified } from '../core/sql.ts'
import {
  indexMethods,
  metrics,
  type IndexMethod,
  type MethodFor,
  type Metric,
  type MetricFor,
} from '../pgvector/index-methods.ts'
import {
  assertColumn,
  evenAfterOtherProblems,
  inExtension,
  isVectorColumn,
  tableOf,
  typeSql,
  type VectorColumn,
} from '../columns/column.ts'
import { DEFAULT_M } from '../pgvector/graph-memory.ts'
import { planIndexStorage, type IndexStorage, type StorageChoice } from './storage.ts'

/** An index on vectors, as a value. */
export interface VectorIndex<Type extends VectorType = VectorType> {
  readonly column: VectorColumn<Type>
  readonly name: string
  readonly method: IndexMethod
  /** What queries order by. */
  readonly metric: Metric
  readonly storage: IndexStorage
  /** The storage parameters as they were given; what is not given is pgvector's default, or for lists depends on the rows. */
  readonly parameters: IndexParameters
  /** The condition of a partial index, in SQL; null where every row is indexed. */
  readonly where: string | null
}

/** The storage parameters of an index. */
export interface IndexParameters {
  /** HNSW: connections of a row in each layer. */
  readonly m?: number | undefined
  /** HNSW: rows that are looked at to connect a new one. */
  readonly efConstruction?: number | undefined
  /** IVFFlat: into how many lists the rows are divided. */
  readonly lists?: number | undefined
}

/** What {@link vectorIndex} may be told. */
export interface VectorIndexOptions<
  Type extends VectorType = VectorType,
  Method extends IndexMethod & MethodFor<Type> = IndexMethod & MethodFor<Type>,
> {
  /** hnsw finds more and is slower to build; ivfflat needs rows to be built from. */
  readonly method: Method
  /** The distance that queries order by. */
  readonly metric: MetricFor<Type, Method>
  /** Default table_column_method_metric_idx. */
  readonly name?: string | undefined
  /** HNSW only, 2 to 100; default 16. */
  readonly m?: number | undefined
  /** HNSW only, 4 to 1000 and at least twice m; default 64. */
  readonly efConstruction?: number | undefined
  /** IVFFlat only, 1 to 32768; default from the number of rows when the index is built. */
  readonly lists?: number | undefined
  /** What the index keeps; default what loses least. */
  readonly storage?: StorageChoice | undefined
  /** Index only the rows for which this SQL condition is true; it is sent as it stands. */
  readonly where?: string | undefined
}

const DEFAULT_EF_CONSTRUCTION = 64

/** The ranges of the storage parameters (hnsw.h, ivfflat.h of pgvector, 0.5.0 to 0.8.7). */
export const parameterRanges = {
  m: { smallest: 2, largest: 100 },
  efConstruction: { smallest: 4, largest: 1000 },
  lists: { smallest: 1, largest: 32_768 },
} as const satisfies Record<keyof IndexParameters, { readonly smallest: number; readonly largest: number }>

const indexOptions = lazySchema((z) =>
  z
    .strictObject({
      method: z.enum(indexMethods, 'must be hnsw or ivfflat'),
      metric: z.enum(Object.keys(metrics) as readonly Metric[], `must be one of ${Object.keys(metrics).join(', ')}`),
      name: nameOption().optional(),
      m: within(z, parameterRanges.m).optional(),
      efConstruction: within(z, parameterRanges.efConstruction).optional(),
      lists: within(z, parameterRanges.lists).optional(),
      storage: z.enum(['column', 'halfvec', 'binary'], 'must be column, halfvec or binary').optional(),
      where: conditionOption().optional(),
    })
    .superRefine(({ method, m, efConstruction, lists }, context) => {
      const complain = (path: keyof IndexParameters, message: string): void => {
        context.addIssue({ code: 'custom', path: [path], message })
      }
      if (method === 'ivfflat' && m !== undefined) complain('m', 'is a parameter of hnsw')
      if (method === 'ivfflat' && efConstruction !== undefined) complain('efConstruction', 'is a parameter of hnsw')
      if (method === 'hnsw' && lists !== undefined) complain('lists', 'is a parameter of ivfflat')
      const [connections, looked] = [m ?? DEFAULT_M, efConstruction ?? DEFAULT_EF_CONSTRUCTION]
      const areNumbers = Number.isInteger(connections) && Number.isInteger(looked)
      if (method === 'hnsw' && areNumbers && looked < 2 * connections) {
        complain('efConstruction', `must be at least twice m, which is ${m ?? DEFAULT_M}`)
      }
    }, evenAfterOtherProblems),
)

function within(
  z: Z,
  { smallest, largest }: { readonly smallest: number; readonly largest: number },
): ReturnType<Z['int']> {
  const message = `must be a whole number from ${smallest} to ${largest}`
  return z.int(message).min(smallest, message).max(largest, message)
}

/**
 * Describes an index on a column of vectors; nothing is sent anywhere.
 *
 * What the index keeps follows from the type and the dimensions: a vector column of up to 2,000 dimensions as it is,
 * up to 4,000 cast to halfvec, and beyond that its signs, to be re-ranked (`storage.reason` tells).
 *
 * @example
 * ```ts
 * const index = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, with every problem; INDEX_NOT_POSSIBLE where pgvector has no such
 * index, with what to choose instead.
 */
export function vectorIndex<const Type extends VectorType, const Method extends IndexMethod & MethodFor<Type>>(
  column: VectorColumn<Type>,
  options: VectorIndexOptions<Type, Method>,
): VectorIndex<Type> {
  assertColumn(column)
  const { method, metric, name, storage, where, ...parameters } = parseOptions(indexOptions, options)
  return {
    column,
    name: name ?? defaultName(column, method, metric),
    method,
    metric,
    storage: planIndexStorage(column, method, metric, storage),
    parameters,
    where: where ?? null,
  }
}

/** Whether a value is an index; by shape, because it may come from another copy of this package. */
export function isVectorIndex(value: unknown): value is VectorIndex {
  if (typeof value !== 'object' || value === null) return false
  const { column, name, method, storage } = value as Partial<VectorIndex>
  const isStored = storage?.operatorClass !== undefined
  return isVectorColumn(column) && typeof name === 'string' && indexMethods.includes(method ?? 'hnsw') && isStored
}

/** @throws {PgvectorMigrationError} INVALID_OPTIONS */
export function assertIndex(value: unknown): asserts value is VectorIndex {
  if (isVectorIndex(value)) return
  throw new PgvectorMigrationError('INVALID_OPTIONS', { problems: ['index: must be created by vectorIndex'] })
}

function defaultName({ table, name }: VectorColumn, method: IndexMethod, metric: Metric): string {
  return indexName(`${table}_${name}_${method}_${metric.toLowerCase()}_idx`)
}

/** What an index, and a query that wants to use it, computes of each row: the same expression for both. */
export function indexedExpression(
  { column, storage }: VectorIndex,
  extensionSchema: string | null,
  alias?: string,
): string {
  const name = alias === undefined ? identifier(column.name) : `${identifier(alias)}.${identifier(column.name)}`
  switch (storage.expression) {
    case 'column':
      return name
    case 'cast':
      return `(${name}::${typeSql('halfvec', column.dimensions, extensionSchema)})`
    case 'binary quantization':
      return `(${inExtension('binary_quantize', extensionSchema)}(${name})::${typeSql('bit', column.dimensions, null)})`
  }
}

/** The condition of a partial index, in parentheses; null for none. */
export function conditionSql({ where }: Pick<VectorIndex, 'where'>): string | null {
  return where === null ? null : `(${where})`
}

/** What follows the index's name in a statement that makes it. */
export function indexDefinition(
  index: VectorIndex,
  extensionSchema: string,
  parameters: IndexParameters = index.parameters,
): string {
  const { column, method, storage } = index
  const condition = conditionSql(index)
  const operatorClass = qualified(extensionSchema, storage.operatorClass.name)
  const given = [
    ['m', parameters.m],
    ['ef_construction', parameters.efConstruction],
    ['lists', parameters.lists],
  ].flatMap(([name, value]) => (value === undefined ? [] : [`${name} = ${value}`]))
  return [
    `on ${tableOf(column)} using ${method} (${indexedExpression(index, extensionSchema)} ${operatorClass})`,
    ...(given.length === 0 ? [] : [`with (${given.join(', ')})`]),
    ...(condition === null ? [] : [`where ${condition}`]),
  ].join(' ')
}
