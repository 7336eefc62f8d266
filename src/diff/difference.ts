import type { Embedding } from '../embeddings/embedding.ts'
import type { VectorColumn } from '../columns/column.ts'
import type { VectorIndex } from '../indexes/vector-index.ts'

/** A difference between a database and its declaration. */
export type VectorDifference =
  /** Something that is missing needs the extension. */
  | { readonly kind: 'extension missing'; readonly name: string }
  | {
      readonly kind: 'column missing'
      readonly name: string
      readonly column: VectorColumn
      /**
       * Whether the table has rows, which would have no value in the new column, according to its size and statistics.
       */
      readonly hasRows: boolean
    }
  | {
      readonly kind: 'column differs'
      readonly name: string
      readonly column: VectorColumn
      readonly existing: string
      readonly wanted: string
    }
  | { readonly kind: 'column not declared'; readonly name: string; readonly existing: string }
  | { readonly kind: 'index missing'; readonly name: string; readonly index: VectorIndex }
  | { readonly kind: 'index invalid'; readonly name: string; readonly index: VectorIndex }
  | {
      readonly kind: 'index differs'
      readonly name: string
      readonly existing: string
      readonly wanted: string
    }
  /** Something that keeps the vectors in step is missing or was altered. */
  | {
      readonly kind: 'not kept in step'
      readonly name: string
      readonly embedding: Embedding
      readonly problems: readonly string[]
    }
  | { readonly kind: 'index not declared'; readonly name: string; readonly existing: string }
