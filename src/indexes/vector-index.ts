import type { VectorType } from '../pgvector/vector-types.ts'
import { PgvectorMigrationError } from '../core/errors.ts'
import { indexName, shortHash } from '../core/names.ts'
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

/** A vector index as a value. */
export interface VectorIndex<Type extends VectorType = VectorType> {
  readonly column: VectorColumn<Type>
  readonly name: string
  readonly method: IndexMethod
  /** The metric that queries order by. */
  readonly metric: Metric
  readonly storage: IndexStorage
  /**
   * The storage parameters as given. Missing ones have pgvector's default or, for lists, depend on the number of rows.
   */
  readonly parameters: IndexParameters
  /** The condition of a partial index, in SQL; null if every row is indexed. */
  readonly where: string | null
}

/** The storage parameters of an index. */
export interface IndexParameters {
  /** HNSW: the connections of a row in each layer. */
  readonly m?: number | undefined
  /** HNSW: the number of candidates that are considered to connect a new row. */
  readonly efConstruction?: number | undefined
  /** IVFFlat: the number of lists into which the rows are divided. */
  readonly lists?: number | undefined
}

/** Options of {@link vectorIndex}. */
export interface VectorIndexOptions<
  Type extends VectorType = VectorType,
  Method extends IndexMethod & MethodFor<Type> = IndexMethod & MethodFor<Type>,
> {
  /** hnsw has better recall and is slower to build; ivfflat is trained on existing rows. */
  readonly method: Method
  /** The distance that queries order by: `l2`, `innerProduct`, `cosine`, `l1`; for bit `hamming`, `jaccard`. */
  readonly metric: MetricFor<Type, Method>
  /** The name of the index, which has the storage and a hash of the condition too; default table_column_method_metric_idx. */
  readonly name?: string | undefined
  /** HNSW only, 2 to 100; default 16. */
  readonly m?: number | undefined
  /** HNSW only, 4 to 1000 and at least twice m; default 64. */
  readonly efConstruction?: number | undefined
  /** IVFFlat only, 1 to 32768; default: based on the number of rows when the index is built. */
  readonly lists?: number | undefined
  /** What the index stores; default: the choice that loses least. */
  readonly storage?: StorageChoice | undefined
  /** Index only the rows that meet this SQL condition, which is sent unchanged. */
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
 * Declares a vector index. It sends nothing to the server.
 *
 * The type and the dimensions determine what the index stores. A vector column of up to 2,000 dimensions is stored
 * unchanged, and up to 4,000 it is cast to halfvec. Beyond that the index uses binary quantization, whose results need
 * reranking. `storage.reason` explains the choice.
 *
 * @example
 * ```ts
 * const index = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, with every problem; INDEX_NOT_POSSIBLE if pgvector cannot build such an
 * index, with the possible choices.
 */
export function vectorIndex<const Type extends VectorType, const Method extends IndexMethod & MethodFor<Type>>(
  column: VectorColumn<Type>,
  options: VectorIndexOptions<Type, Method>,
): VectorIndex<Type> {
  assertColumn(column)
  const parsed = parseOptions(indexOptions, options)
  const { method, metric, name, storage: choice, where = null, ...parameters } = parsed
  const storage = planIndexStorage(column, method, metric, choice)
  const described = { column, method, metric, storage, where }
  return { ...described, name: name ?? defaultName(described), parameters }
}

/** Whether a value is an index. It is recognised by shape, because it may come from another copy of this package. */
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

type Described = Omit<VectorIndex, 'name' | 'parameters'>

/** Returns the default name of an index. It contains everything in which two indexes on a column can differ. */
function defaultName(index: Described): string {
  const { storage, where } = index
  const distinction = [storageNames[storage.expression], where === null ? '' : shortHash(where.trim())]
  return indexName([...namesOf(index), ...distinction.filter((part) => part !== ''), 'idx'].join('_'))
}

/** Returns the default name of earlier releases, which an applied migration may have used; null if the name is not the default. */
export function formerName(index: VectorIndex): string | null {
  return index.name === defaultName(index) ? indexName([...namesOf(index), 'idx'].join('_')) : null
}

function namesOf({ column, method, metric }: Described): string[] {
  return [column.table, column.name, method, metric.toLowerCase()]
}

const storageNames = { column: '', cast: 'halfvec', 'binary quantization': 'binary' } as const

/**
 * Returns the expression that an index computes for each row. A query that uses the index needs the same expression.
 */
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

/** Returns the condition of a partial index in parentheses; null for none. */
export function conditionSql({ where }: Pick<VectorIndex, 'where'>): string | null {
  return where === null ? null : `(${where})`
}

/** Returns the part of the CREATE INDEX statement that follows the index's name. */
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
