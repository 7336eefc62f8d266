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
  return fittingName(whole, '_idx')
}

/**
 * Returns a name that fits with the ending that follows it. A longer one ends in a hash of the whole name.
 *
 * @param added What follows only a shortened name.
 * @param following The bytes that follow the name in any case.
 */
export function fittingName(whole: string, added = '', following = 0): string {
  const fits = (name: string): boolean => Buffer.byteLength(name) <= NAME_BYTES - following
  if (fits(whole)) return whole
  const ending = `_${shortHash(whole)}${added}`
  let start = whole
  while (!fits(start + ending)) start = [...start].slice(0, -1).join('')
  return start + ending
}

/** A few characters that stand for a text. */
export function shortHash(text: string, characters = 8): string {
  return createHash('sha256').update(text).digest('hex').slice(0, characters)
}
