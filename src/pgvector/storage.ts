import { typeLimits } from './vector-types.ts'
import { isAtLeast } from './version.ts'

/** How an embedding of so many dimensions is stored in a vector column and reached by an HNSW index. */
export interface DimensionStorage {
  readonly dimensions: number
  /** The type of a column that stores every element in full precision. */
  readonly column: 'vector'
  /** Bytes a value takes in the table: 8 + 4 per dimension. */
  readonly bytes: number
  /** The type that an HNSW index casts the column to; null where this pgvector has none for so many dimensions. */
  readonly index: 'vector' | 'halfvec' | 'bit' | null
  /** One sentence for people. */
  readonly note: string
}

// In the order of what they lose: nothing, precision, all but the signs.
const indexTypes = ['vector', 'halfvec', 'bit'] as const

const notes = {
  vector: 'a vector column and an HNSW index on it',
  halfvec: 'a vector column is possible; an HNSW index needs a cast to halfvec, or a halfvec column',
  bit: 'a vector column is possible; an HNSW index needs binary_quantize and re-ranking',
} as const

/** How each of these dimensions is stored by that pgvector version. */
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
