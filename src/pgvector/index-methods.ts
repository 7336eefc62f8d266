import { typeLimits, type VectorType } from './vector-types.ts'

/** The operators that measure how far apart two vectors are (vector.sql of pgvector); the smallest comes first. */
export const metrics = {
  /** Euclidean distance. */
  l2: { operator: '<->' },
  /** The negative inner product: PostgreSQL scans an index only in ascending order. */
  innerProduct: { operator: '<#>' },
  /** 1 minus the cosine of the angle. */
  cosine: { operator: '<=>' },
  /** Taxicab distance. */
  l1: { operator: '<+>' },
  /** The number of bits that differ. */
  hamming: { operator: '<~>' },
  /** 1 minus the share of set bits that both have. */
  jaccard: { operator: '<%>' },
} as const satisfies Record<string, { readonly operator: string }>

/** How far apart two vectors are. */
export type Metric = keyof typeof metrics

/** The index access methods of pgvector. */
export const indexMethods = ['hnsw', 'ivfflat'] as const

/** An index access method of pgvector. */
export type IndexMethod = (typeof indexMethods)[number]

/** SQL: their names, as the list of an IN. */
export const indexMethodsSql = `(${indexMethods.map((method) => `'${method}'`).join(', ')})`

/** An operator class, and the pgvector release that brought it. */
export interface OperatorClass {
  readonly name: string
  readonly since: string
}

/**
 * Which index there is for which type and metric, and by which operator class (vector.sql and the update scripts of
 * pgvector, as of 0.8.7). What is not in this table does not exist. A test holds it against running servers.
 */
export const operatorClasses = {
  vector: {
    hnsw: {
      l2: { name: 'vector_l2_ops', since: '0.5.0' },
      innerProduct: { name: 'vector_ip_ops', since: '0.5.0' },
      cosine: { name: 'vector_cosine_ops', since: '0.5.0' },
      l1: { name: 'vector_l1_ops', since: '0.7.0' },
    },
    ivfflat: {
      l2: { name: 'vector_l2_ops', since: '0.1.0' },
      innerProduct: { name: 'vector_ip_ops', since: '0.1.0' },
      cosine: { name: 'vector_cosine_ops', since: '0.1.0' },
    },
  },
  halfvec: {
    hnsw: {
      l2: { name: 'halfvec_l2_ops', since: '0.7.0' },
      innerProduct: { name: 'halfvec_ip_ops', since: '0.7.0' },
      cosine: { name: 'halfvec_cosine_ops', since: '0.7.0' },
      l1: { name: 'halfvec_l1_ops', since: '0.7.0' },
    },
    ivfflat: {
      l2: { name: 'halfvec_l2_ops', since: '0.7.0' },
      innerProduct: { name: 'halfvec_ip_ops', since: '0.7.0' },
      cosine: { name: 'halfvec_cosine_ops', since: '0.7.0' },
    },
  },
  sparsevec: {
    hnsw: {
      l2: { name: 'sparsevec_l2_ops', since: '0.7.0' },
      innerProduct: { name: 'sparsevec_ip_ops', since: '0.7.0' },
      cosine: { name: 'sparsevec_cosine_ops', since: '0.7.0' },
      l1: { name: 'sparsevec_l1_ops', since: '0.7.0' },
    },
  },
  bit: {
    hnsw: {
      hamming: { name: 'bit_hamming_ops', since: '0.7.0' },
      jaccard: { name: 'bit_jaccard_ops', since: '0.7.0' },
    },
    ivfflat: {
      hamming: { name: 'bit_hamming_ops', since: '0.7.0' },
    },
  },
} as const satisfies Record<VectorType, Partial<Record<IndexMethod, Partial<Record<Metric, OperatorClass>>>>>

/** The methods that can index a type. */
export type MethodFor<Type extends VectorType> = Type extends VectorType ? keyof (typeof operatorClasses)[Type] : never

/** The metrics that an index of a method on a type can serve. */
export type MetricFor<Type extends VectorType, Method extends IndexMethod> = Type extends VectorType
  ? Method extends keyof (typeof operatorClasses)[Type]
    ? keyof (typeof operatorClasses)[Type][Method]
    : never
  : never

/** The metrics that two values of a type can be compared by, with an index or without one. */
export type DistanceFor<Type extends VectorType> = MetricFor<Type, 'hnsw'>

/**
 * The operator class of an index; null where there is none.
 *
 * @example operatorClass('halfvec', 'hnsw', 'cosine')?.name // 'halfvec_cosine_ops'
 */
export function operatorClass(type: VectorType, method: IndexMethod, metric: Metric): OperatorClass | null {
  const methods: Partial<Record<IndexMethod, Partial<Record<Metric, OperatorClass>>>> = operatorClasses[type]
  return methods[method]?.[metric] ?? null
}

/** The most dimensions an index can take; null where none limits it (sparsevec: 1,000 elements that are not zero). */
export function indexLimit(type: VectorType, method: IndexMethod): number | null {
  return typeLimits[type][method]
}
