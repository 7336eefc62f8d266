import { typeLimits } from './vector-types.ts'
import { isAtLeast } from './version.ts'

/** How a vector column stores an embedding with this many dimensions, and how an HNSW index reaches it. */
export interface DimensionStorage {
  readonly dimensions: number
  /** The type of a column that stores every element in full precision. */
  readonly column: 'vector'
  /** Bytes of one value in the table: 8 + 4 per dimension. */
  readonly bytes: number
  /** The type to which an HNSW index casts the column; null if this pgvector cannot index so many dimensions. */
  readonly index: 'vector' | 'halfvec' | 'bit' | null
  /** A one-sentence summary to print. */
  readonly note: string
}

// Ordered by what they lose: nothing, precision, everything but the signs.
const indexTypes = ['vector', 'halfvec', 'bit'] as const

const notes = {
  vector: 'a vector column and an HNSW index on it',
  halfvec: 'a vector column is possible; an HNSW index needs a cast to halfvec, or a halfvec column',
  bit: 'a vector column is possible; an HNSW index needs binary_quantize and re-ranking',
} as const

/** Returns how the given pgvector version stores each of these dimensions. */
export function planStorage(dimensions: readonly number[], version: string): DimensionStorage[] {
  const types = indexTypes.filter((type) => isAtLeast(version, typeLimits[type].since))
  return dimensions.map((count) => {
    const index = types.find((type) => count <= typeLimits[type].hnsw)
    return {
      dimensions: count,
      column: 'vector',
      bytes: 8 + 4 * count,
      index: index ?? null,
      note: index === undefined ? `a vector column is possible; pgvector ${version} has no index for it` : notes[index],
    }
  })
}
