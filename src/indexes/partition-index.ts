import { indexName } from '../core/names.ts'
import type { Partition } from './look/facts.ts'
import type { VectorIndex } from './vector-index.ts'

/** The same index on a partition; a partitioned table of its own has only what its partitions have. */
export function indexOfPartition(index: VectorIndex, { schema, name }: Partition): VectorIndex {
  return { ...index, name: indexName(`${name}_${index.name}`), column: { ...index.column, schema, table: name } }
}

/**
 * Attaches the index of a partition to that of the whole. Only then does PostgreSQL look whether the whole is valid: also
 * where the part is attached already.
 */
export function attachSql(whole: string, part: string): string {
  return `alter index ${whole} attach partition ${part}`
}
