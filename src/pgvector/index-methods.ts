import { typeLimits, type VectorType } from './vector-types.ts'

/**
 * The operators that measure the distance between two vectors (vector.sql of pgvector); the smallest distance sorts
 * first.
 */
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
  /** 1 minus the share of set bits that both values have in common. */
  jaccard: { operator: '<%>' },
} as const satisfies Record<string, { readonly operator: string }>

/** The measure of distance between two vectors. */
export type Metric = keyof typeof metrics

/** The index access methods of pgvector. */
export const indexMethods = ['hnsw', 'ivfflat'] as const

/** An index access method of pgvector. */
export type IndexMethod = (typeof indexMethods)[number]

/** The storage parameters of each access method, as `create index … with (…)` names them. */
export const indexParameters = {
  hnsw: ['m', 'ef_construction'],
  ivfflat: ['lists'],
} as const satisfies Record<IndexMethod, readonly string[]>

/** SQL: the names of the access methods, as the list of an IN. */
export const indexMethodsSql = `(${indexMethods.map((method) => `'${method}'`).join(', ')})`

/** An operator class, and the pgvector release that introduced it. */
export interface OperatorClass {
  readonly name: string
  readonly since: string
}

/**
 * The operator class for each combination of type, access method and metric (vector.sql and the update scripts of
 * pgvector, as of 0.8.7). A combination that is missing here does not exist. A test compares the table with running
 * servers.
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

/** The metrics that can compare two values of a type, with or without an index. */
export type DistanceFor<Type extends VectorType> = MetricFor<Type, 'hnsw'>

/**
 * Returns the operator class of an index, or null if there is none.
 *
 * @example operatorClass('halfvec', 'hnsw', 'cosine')?.name // 'halfvec_cosine_ops'
 */
export function operatorClass(type: VectorType, method: IndexMethod, metric: Metric): OperatorClass | null {
  const methods: Partial<Record<IndexMethod, Partial<Record<Metric, OperatorClass>>>> = operatorClasses[type]
  return methods[method]?.[metric] ?? null
}

/** The maximum number of dimensions of an index; null if there is no limit (sparsevec: 1,000 non-zero elements). */
export function indexLimit(type: VectorType, method: IndexMethod): number | null {
  return typeLimits[type][method]
}
