import { millisecondsText } from '../../core/time-text.ts'
import type { Session } from '../../database/session.ts'
import { graphSpeed, listSpeed, type BuildSpeed } from './build-time.ts'
import { planPilot, type ForecastedBuild } from './decide.ts'
import type { ForecastFacts } from './facts.ts'
import { runPilot, type PilotRun } from './pilot.ts'

/** What a pilot showed. */
export interface Measured {
  readonly speed: BuildSpeed | null
  readonly pilot: { readonly rows: number; readonly milliseconds: number } | null
  /** In one sentence, what the time is based on, or why it is unknown. */
  readonly basis: string
}

// Between equal runs. A server on which they differ by more is too busy for a forecast.
const MOST_SPREAD = 0.3

/** Measures how fast the server builds this index, if that is allowed and worth it. */
export async function measureSpeed(
  session: Session,
  build: ForecastedBuild,
  server: ForecastFacts,
  limit: number | null,
): Promise<Measured> {
  if (limit === null) return unknown('no pilot was wanted')
  const plan = planPilot(build, server)
  if ('reason' in plan) return unknown(plan.reason)
  const { index, facts } = build
  const { table } = build.plan
  const { runs, distance, problem, usesProcessorTime, milliseconds } = await runPilot(
    session,
    index,
    { ...facts, table },
    plan,
    limit,
  )
  const pilot = { rows: Math.max(0, ...runs.map(({ rows }) => rows)), milliseconds }
  const speed = index.method === 'hnsw' ? graphSpeed(runs) : listSpeed(runs, distance)
  if (speed === null)
    return {
      ...unknown(problem === null ? 'the pilot took too long' : `the server ended the pilot (${problem})`),
      pilot,
    }
  const spread = spreadOf(runs)
  if (spread > MOST_SPREAD) {
    return {
      ...unknown(`equal runs of the pilot differed by ${Math.round(100 * spread)} %, so the server is too busy`),
      pilot,
    }
  }
  const basis = `The time is based on a pilot of ${pilot.rows.toLocaleString('en')} rows, which took ${millisecondsText(milliseconds)}`
  return { speed, pilot, basis: `${basis}${usesProcessorTime ? '; on a busy server, a build takes longer' : ''}.` }
}

function unknown(reason: string): Measured {
  return { speed: null, pilot: null, basis: `The time is unknown: ${reason}.` }
}

/** Returns how far the two fastest of equal runs are apart, at most. A single slow run does no harm. */
function spreadOf(runs: readonly PilotRun[]): number {
  const times = new Map<string, number[]>()
  for (const { rows, lists, milliseconds } of runs) {
    const size = `${rows} ${lists}`
    times.set(size, [...(times.get(size) ?? []), milliseconds])
  }
  const spreads = [...times.values()].map((each) => {
    const [first = 0, second = first] = each.toSorted((left, right) => left - right)
    return first === 0 ? 0 : second / first - 1
  })
  return Math.max(0, ...spreads)
}
