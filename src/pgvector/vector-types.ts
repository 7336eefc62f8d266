/** A type that can hold an embedding: pgvector's three types, and PostgreSQL's own bit strings. */
export type VectorType = 'vector' | 'halfvec' | 'sparsevec' | 'bit'

/** The limits of a type and of the indexes on it. */
export interface TypeLimits {
  /** The maximum dimensions of a column. */
  readonly column: number
  /** The maximum dimensions of an HNSW index; null if only non-zero elements count (sparsevec: 1,000). */
  readonly hnsw: number | null
  /** The maximum dimensions of an IVFFlat index; null if no such index exists. */
  readonly ivfflat: number | null
  /** The pgvector release that introduced the type; for bit, the release that introduced its operator classes. */
  readonly since: string
}

/**
 * The limits of pgvector's types (vector.h, halfvec.h, sparsevec.h, hnswutils.c, ivfutils.c of 0.8.6, unchanged in
 * 0.8.7; PostgreSQL limits bit columns). A test compares them with a running server.
 */
export const typeLimits = {
  vector: { column: 16_000, hnsw: 2_000, ivfflat: 2_000, since: '0.4.0' },
  halfvec: { column: 16_000, hnsw: 4_000, ivfflat: 4_000, since: '0.7.0' },
  sparsevec: { column: 1_000_000_000, hnsw: null, ivfflat: null, since: '0.7.0' },
  bit: { column: 83_886_080, hnsw: 64_000, ivfflat: 64_000, since: '0.7.0' },
} as const satisfies Record<VectorType, TypeLimits>
