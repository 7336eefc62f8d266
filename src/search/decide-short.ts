import type { VectorIndex } from '../indexes/vector-index.ts'
import type { SearchOptions } from './settings.ts'
import { searchSettings } from './settings.ts'
import { isAtLeast } from '../pgvector/version.ts'

/** So many rows are compared one by one in less time than most searches may take. */
export const EXACT_ROWS = 10_000

/** A search of an index that returned fewer rows than its limit. */
export interface ShortSearch {
  readonly method: VectorIndex['method']
  /** The version of the extension. */
  readonly version: string
  readonly iterativeScan: SearchOptions['iterativeScan']
  readonly found: number
  readonly limit: number
  readonly offset: number
  /** The rows that match, counted up to one more than EXACT_ROWS and than the limit; null if that took too long. */
  readonly matching: number | null
}

/** What follows from it: these are all rows, an exact scan finds the others, or the result stays short. */
export type Verdict = 'complete' | 'exact' | 'short'

/** Decides what to do about a short result. An exact scan is only for few rows, and for callers who did not limit the scan. */
export function decideShort({ matching, found, offset, iterativeScan }: ShortSearch): Verdict {
  if (matching === null) return 'short'
  if (found >= matching - offset) return 'complete'
  return matching <= EXACT_ROWS && iterativeScan !== 'off' ? 'exact' : 'short'
}

/** Describes a result that stays short, and what finds more rows. */
export function describeShort(search: ShortSearch): string {
  const { found, limit, offset, matching } = search
  const most = Math.max(EXACT_ROWS, limit + offset)
  const remaining = (matching ?? 0) - offset
  const counted =
    matching === null
      ? 'Counting the rows that match took too long, so there may be more.'
      : `${matching > most ? `More than ${most - offset}` : remaining} rows match.`
  return `Found ${found} of ${limit} rows. ${counted} ${remedyOf(search)}`
}

const ITERATIVE_SINCE = searchSettings['hnsw.iterative_scan'].since

function remedyOf({ method, version, iterativeScan }: ShortSearch): string {
  const first = method === 'hnsw' ? 'efSearch' : 'probes'
  if (!isAtLeast(version, ITERATIVE_SINCE)) {
    return `Update pgvector to ${ITERATIVE_SINCE}, which has iterative scans, or raise ${first}.`
  }
  if (iterativeScan === 'off') return `Turn iterativeScan on, or raise ${first}.`
  return method === 'hnsw'
    ? 'Raise maxScanTuples and scanMemMultiplier, or create an index on the columns of the condition.'
    : 'Raise maxProbes, or create an index on the columns of the condition.'
}
