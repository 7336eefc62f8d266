import type { VectorColumn } from '../../columns/column.ts'

/** How much a worker has in memory at once. */
export interface Limits {
  /** The most rows of a batch. */
  readonly rows: number
  /** The most bytes of text that are read for a batch; a single longer row is read alone. */
  readonly bytes: number
}

// What all batches together may take. Node itself takes about 70 MB, and garbage that is not collected yet as much as this.
const BYTES_AT_ONCE = 32 * 2 ** 20
const LARGEST_TEXTS = 4 * 2 ** 20

// A vector is in memory as numbers of eight bytes, and in PostgreSQL's format with four, twice.
const BYTES_PER_NUMBER = 16
const USUAL_DIMENSIONS = 1536

/** Returns the limits of each of several concurrent batches, so that no combination of options needs more memory. */
export function limitsFor(
  { dimensions }: VectorColumn,
  { batchSize, concurrency }: { readonly batchSize: number; readonly concurrency: number },
): Limits {
  const share = BYTES_AT_ONCE / concurrency / 2
  const vector = (dimensions ?? USUAL_DIMENSIONS) * BYTES_PER_NUMBER
  return {
    rows: Math.max(1, Math.min(batchSize, Math.floor(share / vector))),
    // A text is in memory as the driver's answer, as JSON, and as a string of up to two bytes a character.
    bytes: Math.max(1, Math.min(LARGEST_TEXTS, Math.floor(share / 4))),
  }
}
