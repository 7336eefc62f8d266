import { indexLimit } from '../../pgvector/index-methods.ts'
import { typeLimits } from '../../pgvector/vector-types.ts'
import { shownIndex, type Rule } from '../rule.ts'
import type { MadeIndex } from '../statement.ts'

/** Each type has a maximum number of dimensions that pgvector can index. */
export const tooManyDimensions: Rule = ({ statement, tables }) => {
  const { index } = statement
  if (index === null) return []
  const type = index.cast ?? (index.isPlain ? tables.typeOf(index.table, index.column) : null)
  const limit = type === null ? null : indexLimit(type.type, index.method)
  if (type === null || limit === null || type.dimensions === null || type.dimensions <= limit) return []
  return [
    {
      message: `${shownIndex(statement)} would store ${type.type} of ${type.dimensions} dimensions, and ${index.method} takes ${limit}`,
      next: smaller(index, type.dimensions),
    },
  ]
}

function smaller({ column, operatorClass }: MadeIndex, dimensions: number): string {
  const name = column ?? 'embedding'
  if (dimensions <= typeLimits.halfvec.hnsw) {
    return `Index it in half the precision: ((${name}::halfvec(${dimensions})) ${halfvecClass(operatorClass)}), and search by the same expression.`
  }
  if (dimensions <= typeLimits.bit.hnsw) {
    return `Index its signs, and order what they find again: ((binary_quantize(${name})::bit(${dimensions})) bit_hamming_ops).`
  }
  return 'Store shorter embeddings: many models are made to be cut.'
}

// The class for the same distance.
function halfvecClass(name: string | null): string {
  return (name ?? 'vector_cosine_ops').replace(/^vector_/, 'halfvec_')
}
