import type { VectorType } from '../pgvector/vector-types.ts'
import { PgvectorMigrationError } from '../core/errors.ts'
import {
  indexLimit,
  operatorClass,
  type IndexMethod,
  type Metric,
  type OperatorClass,
} from '../pgvector/index-methods.ts'
import type { VectorColumn } from '../columns/column.ts'

/** What an index stores of a column's values, and why. */
export interface IndexStorage {
  /** The type that the index stores. */
  readonly type: VectorType
  /** How the stored value is computed from the column: unchanged, by a cast to halfvec, or by binary quantization. */
  readonly expression: 'column' | 'cast' | 'binary quantization'
  /** The metric of the index itself: that of the query or, for binary quantization, the Hamming distance. */
  readonly metric: Metric
  readonly operatorClass: OperatorClass
  /** Whether the results of the index need reranking by the column's own values. */
  readonly reRank: boolean
  /** One sentence that explains what is lost, and why. */
  readonly reason: string
}

/** What an index stores: the full value, half the precision, or one bit per element. */
export type StorageChoice = 'column' | 'halfvec' | 'binary'

/**
 * Chooses what an index stores. It uses the column itself if possible, else half the precision, else binary
 * quantization, which is sufficient to find candidates by angle but needs reranking. A `choice` of the caller is
 * checked and kept.
 *
 * @throws {PgvectorMigrationError} INDEX_NOT_POSSIBLE, with the possible choices.
 */
export function planIndexStorage(
  column: VectorColumn,
  method: IndexMethod,
  metric: Metric,
  choice?: StorageChoice,
): IndexStorage {
  const candidates = choice === undefined ? choicesFor(column) : [choice]
  const problems: string[] = []
  for (const candidate of candidates) {
    const found = attempts[candidate](column, method, metric)
    if (typeof found !== 'string') return found
    problems.push(found)
  }
  throw new PgvectorMigrationError('INDEX_NOT_POSSIBLE', {
    column: `${column.table}.${column.name}`,
    type: column.type,
    dimensions: column.dimensions,
    method,
    metric,
    // A column without dimensions is refused three times for the same reason.
    problems: [...new Set(problems)],
  })
}

// Ordered by what they lose: nothing, precision, everything but the signs.
function choicesFor({ type }: VectorColumn): readonly StorageChoice[] {
  if (type === 'vector') return ['column', 'halfvec', 'binary']
  return type === 'halfvec' ? ['column', 'binary'] : ['column']
}

type Attempt = (column: VectorColumn, method: IndexMethod, metric: Metric) => IndexStorage | string

/** Each choice, or why it is not possible. */
const attempts = {
  column: ({ type, dimensions }, method, metric) => {
    const found = fits(type, dimensions, method, metric)
    if (typeof found === 'string') return found
    return {
      type,
      expression: 'column',
      metric,
      operatorClass: found,
      reRank: false,
      reason: `the index stores the ${type} values unchanged`,
    }
  },
  halfvec: ({ type, dimensions }, method, metric) => {
    if (type !== 'vector') return `only a vector column can be cast to halfvec for an index, and this one is ${type}`
    const found = fits('halfvec', dimensions, method, metric)
    if (typeof found === 'string') return found
    return {
      type: 'halfvec',
      expression: 'cast',
      metric,
      operatorClass: found,
      reRank: false,
      reason: `the index stores the values cast to halfvec, with half the precision: ${whyNotMore('vector', dimensions, method, 'half the memory')}`,
    }
  },
  binary: ({ type, dimensions }, method, metric) => {
    if (type !== 'vector' && type !== 'halfvec') return `binary_quantize does not accept ${type}`
    if (metric !== 'cosine' && metric !== 'innerProduct') {
      return `binary quantization keeps only signs, which do not approximate the ${metric} distance`
    }
    const found = fits('bit', dimensions, method, 'hamming')
    if (typeof found === 'string') return found
    return {
      type: 'bit',
      expression: 'binary quantization',
      metric: 'hamming',
      operatorClass: found,
      reRank: true,
      reason:
        `the index uses binary quantization (binary_quantize), so its results need reranking: ` +
        whyNotMore('halfvec', dimensions, method, 'a fraction of the memory'),
    }
  },
} as const satisfies Record<StorageChoice, Attempt>

function fits(
  type: VectorType,
  dimensions: number | null,
  method: IndexMethod,
  metric: Metric,
): OperatorClass | string {
  const found = operatorClass(type, method, metric)
  if (found === null) return `${method} has no operator class for the ${metric} distance of ${type}`
  if (dimensions === null) return 'an index needs a column with a fixed number of dimensions'
  const limit = indexLimit(type, method)
  if (limit !== null && dimensions > limit) return `${method} takes at most ${limit} dimensions of ${type}`
  // For these two metrics, ivfflat normalizes the values, which makes every one-dimensional value equal (22023 from the
  // server).
  if (method === 'ivfflat' && dimensions < 2 && (metric === 'cosine' || metric === 'innerProduct')) {
    return `ivfflat needs at least 2 dimensions for the ${metric} distance`
  }
  return found
}

function whyNotMore(type: VectorType, dimensions: number | null, method: IndexMethod, gain: string): string {
  const limit = indexLimit(type, method) ?? Infinity
  return (dimensions ?? 0) > limit
    ? `${method} takes at most ${limit} dimensions of ${type}`
    : `as requested, which takes ${gain}`
}
