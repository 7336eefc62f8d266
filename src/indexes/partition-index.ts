import { indexName } from '../core/names.ts'
import type { Partition } from './look/facts.ts'
import type { VectorIndex } from './vector-index.ts'

/**
 * Returns the same index on a partition. A partition that is itself partitioned has only the indexes of its partitions.
 */
export function indexOfPartition(index: VectorIndex, { schema, name }: Partition): VectorIndex {
  return { ...index, name: indexName(`${name}_${index.name}`), column: { ...index.column, schema, table: name } }
}

/**
 * Returns SQL that attaches the index of a partition to the partitioned index. PostgreSQL checks only then whether the
 * partitioned index is valid, even if the part is already attached.
 */
export function attachSql(whole: string, part: string): string {
  return `alter index ${whole} attach partition ${part}`
}
