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

/** What an index keeps of a column's values, and why. */
export interface IndexStorage {
  /** The type that the index holds. */
  readonly type: VectorType
  /** How it comes from the column: as it is, by a cast to halfvec, or the signs of its elements. */
  readonly expression: 'column' | 'cast' | 'binary quantization'
  /** What the index itself measures: that of the query, or for signs the number that differ. */
  readonly metric: Metric
  readonly operatorClass: OperatorClass
  /** Whether what the index finds is to be ordered again by the column's own values. */
  readonly reRank: boolean
  /** One sentence for people: what is lost, and what it depends on. */
  readonly reason: string
}

/** How an index may keep what it indexes: whole, in half the precision, or as signs. */
export type StorageChoice = 'column' | 'halfvec' | 'binary'

/**
 * Chooses what an index keeps: the column itself where it can, else half the precision, else the signs of the elements,
 * which are enough to find candidates by the angle and need re-ranking. A `choice` of the caller is checked and kept.
 *
 * @throws {PgvectorMigrationError} INDEX_NOT_POSSIBLE, with what to choose instead.
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

// In the order of what they lose: nothing, precision, all but the signs.
function choicesFor({ type }: VectorColumn): readonly StorageChoice[] {
  if (type === 'vector') return ['column', 'halfvec', 'binary']
  return type === 'halfvec' ? ['column', 'binary'] : ['column']
}

type Attempt = (column: VectorColumn, method: IndexMethod, metric: Metric) => IndexStorage | string

/** Each way, or why it is none. */
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
      reason: `the index keeps the ${type} values as they are`,
    }
  },
  halfvec: ({ type, dimensions }, method, metric) => {
    if (type !== 'vector') return `only a vector column is cast to halfvec for an index, and this one is ${type}`
    const found = fits('halfvec', dimensions, method, metric)
    if (typeof found === 'string') return found
    return {
      type: 'halfvec',
      expression: 'cast',
      metric,
      operatorClass: found,
      reRank: false,
      reason: `the index keeps the values cast to halfvec, in half the precision: ${whyNotMore('vector', dimensions, method, 'half the memory')}`,
    }
  },
  binary: ({ type, dimensions }, method, metric) => {
    if (type !== 'vector' && type !== 'halfvec') return `binary_quantize takes no ${type}`
    if (metric !== 'cosine' && metric !== 'innerProduct') {
      return `binary quantization keeps only signs, which say nothing about the ${metric} distance`
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
        `the index keeps the signs of the elements (binary_quantize), so its finds are to be re-ranked: ` +
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
  if (dimensions === null) return 'an index needs to know how many dimensions every value has'
  const limit = indexLimit(type, method)
  if (limit !== null && dimensions > limit) return `${method} takes at most ${limit} dimensions of ${type}`
  // ivfflat normalizes the values for these two, which leaves nothing of a single number (22023 from the server).
  if (method === 'ivfflat' && dimensions < 2 && (metric === 'cosine' || metric === 'innerProduct')) {
    return `ivfflat needs at least 2 dimensions for the ${metric} distance`
  }
  return found
}

function whyNotMore(type: VectorType, dimensions: number | null, method: IndexMethod, gain: string): string {
  const limit = indexLimit(type, method) ?? Infinity
  return (dimensions ?? 0) > limit
    ? `${method} takes at most ${limit} dimensions of ${type}`
    : `that was asked for, and takes ${gain}`
}
