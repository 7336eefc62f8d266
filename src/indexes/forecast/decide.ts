import { identifier } from '../../core/sql.ts'
import { graphPages, listPages, walOfPages } from '../../pgvector/index-pages.ts'
import { isCached } from '../decide/in-memory.ts'
import { indexedBytes, type BuildSettings } from '../decide/memory.ts'
import type { PlannedBuild } from '../decide/plan.ts'
import type { IndexFacts } from '../look/facts.ts'
import type { VectorIndex } from '../vector-index.ts'
import { spillFactorOf, timeOf, type BuildSpeed, type TimeRange } from './build-time.ts'
import type { ForecastFacts } from './facts.ts'
import type { PilotPlan } from './pilot.ts'

/** A build of one index on one table, with everything that decides about its costs. */
export interface ForecastedBuild {
  readonly index: VectorIndex
  readonly facts: IndexFacts
  readonly plan: PlannedBuild
}

/** The costs of one build. */
export interface BuildCost {
  readonly rows: number
  readonly seconds: TimeRange | null
  readonly bytes: number
  readonly walBytes: number
  readonly settings: BuildSettings
  readonly spillFactor: TimeRange | null
  readonly warnings: readonly string[]
}

/** Forecasts a build from facts; without a speed, all but its time. */
export function costOf(
  { index, facts, plan }: ForecastedBuild,
  { writesWal }: Pick<ForecastFacts, 'writesWal'>,
  speed: BuildSpeed | null,
): BuildCost {
  const { rows, settings, parameters } = plan
  const valueBytes = indexedBytes(facts, index)
  const lists = parameters.lists ?? 1
  const pages =
    index.method === 'hnsw' ? graphPages({ rows, valueBytes, m: parameters.m }) : listPages({ rows, valueBytes, lists })
  const { spillsAfter, workers } = settings
  const spillFactor = spillsAfter === null ? null : spillFactorOf(isCached(pages.bytes, facts.settings))
  return {
    rows,
    seconds: speed === null ? null : timeOf(speed, { rows, lists, workers, spillsAfter, spillFactor }),
    bytes: pages.bytes,
    walBytes: writesWal ? walOfPages(pages, index.method) : 0,
    settings,
    spillFactor,
    warnings: [...plan.warnings, ...spillWarning(index, spillFactor)],
  }
}

function spillWarning(index: VectorIndex, factor: TimeRange | null): string[] {
  if (factor === null) return []
  const { low, high } = factor
  return [`Each row of ${identifier(index.name)} that no longer fits takes ${low} to ${high} times as long.`]
}

// With fewer rows, a build takes seconds. With more, the growth from one size to the next is worth its time.
const WORTH_A_PILOT = 10_000
const WORTH_TWO_SIZES = 100_000

const SMALL = 1000
const LARGE = 4000
const ONE_LIST = 1

/** Why there is no pilot, as a part of a sentence. */
export type WithoutPilot = { readonly reason: string }

/** Decides which runs a pilot consists of. The first ones are the shortest, in case the time is over early. */
export function planPilot({ index, plan }: ForecastedBuild, server: ForecastFacts): PilotPlan | WithoutPilot {
  const { rows } = plan
  if (rows < WORTH_A_PILOT) return { reason: `${rows} rows are too few for a pilot: the build takes seconds` }
  if (server.isReadOnly) return { reason: 'a pilot needs a session that can write' }
  if (!server.mayCreateTemporary) return { reason: 'a pilot needs the privilege TEMPORARY on the database' }
  if (plan.table.hidesRows) return { reason: 'a pilot needs a role that can read every row' }
  if (index.method === 'ivfflat') {
    const [few, many] = [
      { rows: SMALL, lists: ONE_LIST },
      { rows: LARGE, lists: ONE_LIST },
    ] as const
    return { rows: LARGE, runs: [few, many, few, many], measuresDistance: true }
  }
  const small = { rows: SMALL, lists: 0 }
  const large = { rows: LARGE, lists: 0 }
  return rows < WORTH_TWO_SIZES
    ? { rows: SMALL, runs: [small, small, small], measuresDistance: false }
    : { rows: LARGE, runs: [small, small, small, large], measuresDistance: false }
}
