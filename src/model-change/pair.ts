import type { VectorColumn } from '../columns/column.ts'
import type { IndexStorage, StorageChoice } from '../indexes/storage.ts'
import { vectorIndex, type IndexParameters, type VectorIndex } from '../indexes/vector-index.ts'
import { operatorClass, operatorClasses, type IndexMethod, type Metric } from '../pgvector/index-methods.ts'
import type { VectorType } from '../pgvector/vector-types.ts'
import type { CatalogFacts, FoundIndex } from './facts.ts'

/** A column with the model of its vectors, as the registry stores it. A column never changes its model. */
export interface StoredPair extends IndexParameters {
  readonly column: string
  readonly model: string
  readonly type: VectorType
  readonly dimensions: number | null
  readonly metric: Metric
  readonly method: IndexMethod
  /** What the index stores, if it was chosen. */
  readonly storage?: StorageChoice | undefined
}

/** A column with its model, ready to be searched. */
export interface ModelPair {
  readonly column: VectorColumn
  readonly model: string
  readonly metric: Metric
  /** The index that a search uses; without an index in the database, one that leads to an exact search. */
  readonly index: VectorIndex
}

/** Completes a pair by what the catalog shows now; null if its column does not exist. */
export function pairOf(
  declared: VectorColumn,
  { column: name, model, metric: wanted }: Pick<StoredPair, 'column' | 'model'> & { readonly metric?: Metric },
  { columns, indexes }: Pick<CatalogFacts, 'columns' | 'indexes'>,
): ModelPair | null {
  const found = columns.find((each) => each.name === name)
  if (found === undefined) return null
  const { type, dimensions, notNull } = found
  const column: VectorColumn = { ...declared, name, type, dimensions, notNull }
  const candidates = indexes
    .filter((each) => each.column === name)
    .map((each) => ({ each, metric: metricOf(each, type) ?? wanted ?? DEFAULT_METRIC }))
  const fitting = candidates.find(({ metric }) => wanted === undefined || metric === wanted)
  const metric = fitting?.metric ?? wanted ?? (type === 'bit' ? 'hamming' : DEFAULT_METRIC)
  const index = fitting === undefined ? exactIndex(column, metric) : existingIndex(column, metric, fitting.each)
  return { column, model, metric, index }
}

/** Returns the pair as the registry stores it. */
export function storedPair({ column, model, metric, index }: ModelPair): StoredPair {
  const { name, type, dimensions } = column
  const storage = storageOf(index.storage)
  return { column: name, model, type, dimensions, metric, method: index.method, storage, ...index.parameters }
}

/** The index that a pair is searched with, as it is to be built. */
export function declaredIndex(column: VectorColumn, pair: StoredPair): VectorIndex {
  const { method, metric, storage, m, efConstruction, lists } = pair
  return vectorIndex<VectorType, IndexMethod>(column, { method, metric, storage, m, efConstruction, lists })
}

const DEFAULT_METRIC = 'cosine'

/** The metric of an index; null for binary quantization, which serves two metrics. */
function metricOf({ type, class: name }: FoundIndex, stored: VectorType): Metric | null {
  if (type === 'bit' && stored !== 'bit') return null
  const methods: Partial<Record<IndexMethod, Partial<Record<Metric, { readonly name: string }>>>> =
    operatorClasses[type]
  const all = Object.values(methods).flatMap((metrics) => Object.entries(metrics))
  return (all.find(([, each]) => each.name === name)?.[0] as Metric | undefined) ?? null
}

function existingIndex(column: VectorColumn, metric: Metric, { name, method, type }: FoundIndex): VectorIndex {
  const storage: StorageChoice = type === column.type ? 'column' : type === 'halfvec' ? 'halfvec' : 'binary'
  return vectorIndex<VectorType, IndexMethod>(column, { name, method, metric, storage })
}

function storageOf({ expression }: IndexStorage): StorageChoice {
  return expression === 'column' ? 'column' : expression === 'cast' ? 'halfvec' : 'binary'
}

// No index is needed to order by the distance of the values themselves.
function exactIndex(column: VectorColumn, metric: Metric): VectorIndex {
  const { type } = column
  const storage: IndexStorage = {
    type,
    expression: 'column',
    metric,
    operatorClass: operatorClass(type, 'hnsw', metric) ?? { name: '', since: '0.5.0' },
    reRank: false,
    reason: 'there is no index',
  }
  return { column, name: '', method: 'hnsw', metric, storage, where: null, parameters: {} }
}
