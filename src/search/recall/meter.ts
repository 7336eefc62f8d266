import { exceptPlace } from '../../database/fragment.ts'
import type { Session } from '../../database/session.ts'
import type { VectorIndex } from '../../indexes/vector-index.ts'
import { nearestRows } from '../nearest-rows.ts'
import { exactDistances, type Bounded, type BoundedQuery } from './exact.ts'
import { recallInterval, type RecallInterval } from './interval.ts'
import type { SampledQuery } from './sample.ts'

/** A setting of a search; empty for that of a search without options. */
interface Setting {
  readonly efSearch?: number
  readonly probes?: number
}

/** The recall and the latency of searches with one setting. */
interface Measured extends RecallInterval {
  /** The median and the 95th percentile of a search, in milliseconds. */
  readonly p50: number
  readonly p95: number
}

/** How a recall is measured. */
interface Terms {
  /** The number of neighbours of each query. */
  readonly k: number
  /** The pages of the table. */
  readonly pages: number
  /** The schema of the extension. */
  readonly schema: string
  /** How long a statement that reads a part of the table should take, in milliseconds. */
  readonly aim: number
  readonly signal?: AbortSignal | undefined
}

const BOUND_SETTING = { hnsw: { efSearch: 200 }, ivfflat: { probes: 8 } } as const

/**
 * Finds the true nearest neighbours of each query by one scan of the table. Returns what measures the searches of the index
 * against them.
 */
export async function recallMeter(
  bounded: Bounded,
  index: VectorIndex,
  queries: readonly SampledQuery[],
  { k, pages, schema, aim, signal }: Terms,
): Promise<(setting: Setting) => Promise<Measured>> {
  const search = (trx: Session, query: SampledQuery, setting: Setting): Promise<readonly number[]> => {
    signal?.throwIfAborted()
    return distancesOf(trx, index, query, { k, schema, setting })
  }
  const bounds = await bounded(async (trx) => {
    const all: BoundedQuery[] = []
    for (const query of queries) {
      const found = await search(trx, query, BOUND_SETTING[index.method])
      const last = found.length < k ? undefined : found.at(-1)
      all.push({ ...query, bound: last === undefined ? null : loosened(last) })
    }
    return all
  })
  const exact = await exactDistances(bounded, index, schema, bounds, { k, pages, aim })
  return (setting) =>
    bounded(async (trx) => {
      const recalls: number[] = []
      const times: number[] = []
      for (const [place, query] of queries.entries()) {
        const started = performance.now()
        const found = await search(trx, query, setting)
        times.push(performance.now() - started)
        recalls.push(recallOf(found, exact[place] ?? []))
      }
      return { ...recallInterval(recalls), p50: quantile(times, 0.5), p95: quantile(times, 0.95) }
    })
}

async function distancesOf(
  { knex }: Session,
  index: VectorIndex,
  { self, vector }: SampledQuery,
  { k, schema, setting }: Pick<Terms, 'k' | 'schema'> & { readonly setting: Setting },
): Promise<readonly number[]> {
  const { rows } = await nearestRows(knex, index, vector, {
    limit: k,
    columns: [],
    schema,
    ...setting,
    // So that the distances are those of the values, whatever the index stores.
    ...(index.storage.expression === 'cast' ? { candidates: k } : {}),
    ...(self === null ? {} : { where: exceptPlace(self) }),
  })
  return rows.map(({ distance }) => distance)
}

// By distance, because of two rows at the same distance either is right.
function recallOf(found: readonly number[], exact: readonly number[]): number {
  const last = exact.at(-1)
  if (last === undefined) return 1
  const near = found.filter((distance) => distance <= loosened(last)).length
  return Math.min(1, near / exact.length)
}

function loosened(distance: number): number {
  return distance + Math.abs(distance) * 1e-6 + 1e-9
}

/** Returns the time below which a share of the times are. */
export function quantile(times: readonly number[], share: number): number {
  return times.toSorted((left, right) => left - right)[Math.floor(times.length * share)] ?? 0
}
