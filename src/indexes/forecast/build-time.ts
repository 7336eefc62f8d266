import { TYPICAL_GROWTH } from '../build/growth.ts'
import type { PilotRun } from './pilot.ts'

/** A time in seconds, as a range with its most likely value. */
export interface TimeRange {
  readonly low: number
  readonly likely: number
  readonly high: number
}

/** How long an HNSW build takes for each row, in milliseconds: `constant + perLogarithm × ln(rows)`. */
export interface GraphSpeed {
  readonly method: 'hnsw'
  readonly constant: number
  readonly perLogarithm: number
  /** Whether runs of two sizes were compared. With one size, the growth is that of typical builds. */
  readonly isFitted: boolean
}

/** How long an IVFFlat build takes, in milliseconds: for each row, and for each distance that it computes. */
export interface ListSpeed {
  readonly method: 'ivfflat'
  readonly perRow: number
  readonly perDistance: number
}

export type BuildSpeed = GraphSpeed | ListSpeed

/** What a build consists of. */
export interface Work {
  readonly rows: number
  /** Of an IVFFlat index. */
  readonly lists: number
  /** The parallel workers, in addition to the process that builds. */
  readonly workers: number
  /** After how many rows the graph continues on disk; null for never. */
  readonly spillsAfter: number | null
  readonly spillFactor: TimeRange | null
}

// A worker does less than the process that leads the build, because all of them share locks and memory.
const WORKER = 0.7

// Wider where less was measured.
const RANGE = { fitted: { low: 0.75, high: 1.35 }, typical: { low: 0.6, high: 1.8 } } as const

/**
 * Returns the rows after which a row takes so much longer. An index that fits into shared_buffers is read from there, any
 * other one from the disk or from the operating system.
 */
export function spillFactorOf(isCached: boolean): TimeRange {
  return isCached ? { low: 3.3, likely: 3.5, high: 3.7 } : { low: 7, likely: 11, high: 18 }
}

/** Returns the speed of a graph's build from the fastest run of each size; null if there is none. */
export function graphSpeed(runs: readonly PilotRun[]): GraphSpeed | null {
  const best = fastest(runs)
  const [small, large] = [best.at(0), best.at(-1)]
  if (small === undefined || large === undefined) return null
  const timeOfRow = small.milliseconds / small.rows
  const growth =
    large.rows > small.rows
      ? (large.milliseconds / large.rows - timeOfRow) / Math.log(large.rows / small.rows)
      : timeOfRow * TYPICAL_GROWTH
  const perLogarithm = Math.max(0, growth)
  return {
    method: 'hnsw',
    constant: timeOfRow - perLogarithm * Math.log(small.rows),
    perLogarithm,
    isFitted: large.rows > small.rows,
  }
}

// The caches of a processor hold the rows of a pilot, and not those of a table. Measured on two tables.
const BEYOND_CACHES = 2

/** Returns the speed of an IVFFlat build from runs with one list and the time of a distance; null without them. */
export function listSpeed(runs: readonly PilotRun[], distance: number | null): ListSpeed | null {
  const best = fastest(runs)
  const [few, many] = [best.at(0), best.at(-1)]
  if (few === undefined || many === undefined || many.rows <= few.rows || distance === null) return null
  // Without what a build takes for any number of rows.
  const ofRows = (many.milliseconds - few.milliseconds) / (many.rows - few.rows)
  return {
    method: 'ivfflat',
    perRow: BEYOND_CACHES * Math.max(0, ofRows - distance * (ASSIGNED + 1)),
    perDistance: BEYOND_CACHES * distance,
  }
}

/** Returns how long a build takes. */
export function timeOf(speed: BuildSpeed, work: Work): TimeRange {
  const { low, high } = speed.method === 'hnsw' && speed.isFitted ? RANGE.fitted : RANGE.typical
  const seconds = (factor: number): number => millisecondsOf(speed, work, factor) / 1000 / (1 + WORKER * work.workers)
  const { spillFactor } = work
  return {
    low: low * seconds(spillFactor?.low ?? 1),
    likely: seconds(spillFactor?.likely ?? 1),
    high: high * seconds(spillFactor?.high ?? 1),
  }
}

function millisecondsOf(speed: BuildSpeed, { rows, lists, spillsAfter }: Work, spillFactor: number): number {
  if (speed.method === 'ivfflat') {
    return speed.perRow * rows + speed.perDistance * distances(rows, lists, Math.max(10_000, 50 * lists))
  }
  const inMemory = Math.min(rows, spillsAfter ?? rows)
  const first = graphMilliseconds(speed, inMemory)
  return first + spillFactor * (graphMilliseconds(speed, rows) - first)
}

/** Returns the milliseconds for so many rows of a graph in memory. */
export function graphMilliseconds(
  { constant, perLogarithm }: Omit<GraphSpeed, 'method' | 'isFitted'>,
  rows: number,
): number {
  return rows < 2 ? 0 : Math.max(0, rows * (constant + perLogarithm * Math.log(rows)))
}

// Each row is compared with each list, and so is each sampled row of the k-means, which costs a little more.
const ASSIGNED = 0.8

function distances(rows: number, lists: number, samples: number): number {
  return lists * (ASSIGNED * rows + Math.min(samples, Math.max(rows, 1)))
}

/** Returns the fastest run of each size, smallest first. */
function fastest(runs: readonly PilotRun[]): PilotRun[] {
  const best = new Map<string, PilotRun>()
  for (const run of runs) {
    const size = `${run.rows} ${run.lists}`
    const known = best.get(size)
    if (known === undefined || run.milliseconds < known.milliseconds) best.set(size, run)
  }
  return [...best.values()].toSorted((left, right) => left.rows - right.rows || left.lists - right.lists)
}
