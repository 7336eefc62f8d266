import { createHash } from 'node:crypto'

import type { Partition } from './look/facts.ts'
import type { VectorIndex } from './vector-index.ts'

/** The same index on a partition; a partitioned table of its own has only what its partitions have. */
export function indexOfPartition(index: VectorIndex, { schema, name }: Partition): VectorIndex {
  return { ...index, name: partName(name, index.name), column: { ...index.column, schema, table: name } }
}

/**
 * Attaches the index of a partition to that of the whole. Only then does PostgreSQL look whether the whole is valid: also
 * where the part is attached already.
 */
export function attachSql(whole: string, part: string): string {
  return `alter index ${whole} attach partition ${part}`
}

const NAME_BYTES = 63

function partName(partition: string, index: string): string {
  const whole = `${partition}_${index}`
  if (Buffer.byteLength(whole) <= NAME_BYTES) return whole
  const ending = `_${createHash('sha256').update(whole).digest('hex').slice(0, 8)}_idx`
  let start = whole
  while (Buffer.byteLength(start + ending) > NAME_BYTES) start = [...start].slice(0, -1).join('')
  return start + ending
}
