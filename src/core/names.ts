import { createHash } from 'node:crypto'

/** The length of the longest name that PostgreSQL keeps (NAMEDATALEN - 1). It silently truncates a longer one. */
export const NAME_BYTES = 63

/** Whether PostgreSQL keeps a name unchanged. */
export function isShortEnough(name: string): boolean {
  return Buffer.byteLength(name) <= NAME_BYTES
}

/**
 * Returns an index name that fits. A longer one ends in a hash of the whole name, so that two names with the same
 * beginning remain different.
 *
 * @example indexName('documents_embedding_hnsw_cosine_idx') // 'documents_embedding_hnsw_cosine_idx'
 */
export function indexName(whole: string): string {
  if (isShortEnough(whole)) return whole
  const ending = `_${shortHash(whole)}_idx`
  let start = whole
  while (!isShortEnough(start + ending)) start = [...start].slice(0, -1).join('')
  return start + ending
}

/** Eight characters that stand for a text. */
export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}
