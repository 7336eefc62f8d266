import { parseOptions } from '../../core/parse-options.ts'
import { sessionOf, type Database, type Session } from '../../database/session.ts'
import type { BuildSettings } from '../decide/memory.ts'
import { planFromFacts, type PlanLimits } from '../decide/plan.ts'
import type { IndexFacts } from '../look/facts.ts'
import { readIndexFacts } from '../look/read-facts.ts'
import { indexOfPartition } from '../partition-index.ts'
import { assertIndex, type VectorIndex } from '../vector-index.ts'
import type { TimeRange } from './build-time.ts'
import { costOf, type ForecastedBuild } from './decide.ts'
import { readForecastFacts, type ForecastFacts } from './facts.ts'
import { measureSpeed, type Measured } from './measure-speed.ts'
import { forecastOptions, type ForecastOptions } from './options.ts'

/** What a build would take, as {@link forecastBuild} returns it. */
export interface BuildForecast {
  readonly index: string
  /** The rows that the index will contain, as far as is known without reading them all. */
  readonly rows: number
  /** The time of the build; null if it is unknown, and `basis` explains why. */
  readonly seconds: TimeRange | null
  /** The size of the index. */
  readonly bytes: number
  /** The WAL that the build writes, without compression. */
  readonly walBytes: number
  /** How it would be built. Of a partitioned table, the settings of the largest partition. */
  readonly settings: BuildSettings
  /** How many times as long a row takes after `settings.spillsAfter`; null if all fit into memory. */
  readonly spillFactor: TimeRange | null
  /** The rows of the pilot's largest build and the time of all of it; null if there was none. */
  readonly pilot: { readonly rows: number; readonly milliseconds: number } | null
  /** What the time is based on, in one sentence. */
  readonly basis: string
  readonly warnings: readonly string[]
}

/**
 * Forecasts a build of an index, whether or not it exists: its time, size, WAL and memory.
 *
 * Size, WAL and memory are computed. The time comes from a pilot: the index is built on some thousand rows in a temporary
 * table, and that is rolled back. Without the privilege to create one, or on a standby, `seconds` is null.
 *
 * @example
 * ```ts
 * const { seconds, bytes, warnings } = await forecastBuild(knex, index, { maxMemory: '4GB' })
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, PGVECTOR_NOT_ENABLED, PGVECTOR_VERSION_TOO_LOW, RELATION_NOT_FOUND,
 * COLUMN_DIFFERS or INDEX_BUILD_FAILED.
 */
export async function forecastBuild(
  db: Database,
  index: VectorIndex,
  options: ForecastOptions = {},
): Promise<BuildForecast> {
  assertIndex(index)
  const { pilot, maxPilotTime, ...limits } = parseOptions(forecastOptions, options)
  const session = sessionOf(db)
  return forecastOf(session, index, limits, pilot === false ? null : maxPilotTime)
}

/** Forecasts a build in a function that has a session and parsed limits; without a time for the pilot, without one. */
export async function forecastOf(
  session: Session,
  index: VectorIndex,
  limits: Pick<PlanLimits, 'maxMemory' | 'workers'>,
  pilotTime: number | null,
): Promise<BuildForecast> {
  const builds = await readBuilds(session, index, { ...limits, whenEmpty: 'build' })
  const largest = builds.reduce((most, each) => (each.plan.rows > most.plan.rows ? each : most))
  const server = await readForecastFacts(session, largest.plan.table.oid)
  const measured = await measureSpeed(session, largest, server, pilotTime)
  return summed(index, server, measured, [largest, ...builds.filter((build) => build !== largest)])
}

type Builds = [ForecastedBuild, ...ForecastedBuild[]]

/** Reads every build that the index needs: one, or one for each partition. */
async function readBuilds(session: Session, index: VectorIndex, limits: PlanLimits): Promise<Builds> {
  const facts = asIfMissing(await readIndexFacts(session, index))
  const plan = planFromFacts(facts, index, limits)
  if (plan.action === 'refuse') throw plan.error
  if (plan.action === 'build') return [{ index, facts, plan }]
  const parts: ForecastedBuild[] = []
  for (const partition of facts.table?.partitions ?? []) {
    parts.push(...(await readBuilds(session, indexOfPartition(index, partition), limits)))
  }
  const [first, ...others] = parts
  if (first !== undefined) return [first, ...others]
  // Without partitions, it is built as the index of an empty table is.
  const empty = planFromFacts({ ...facts, table: withoutParts(facts), rows: 0 }, index, limits)
  if (empty.action === 'build') return [{ index, facts, plan: empty }]
  throw new Error(`an index that exists nowhere would be built, not: ${empty.action}`)
}

/** The forecast is the same for an index that exists, and for a role that may not build it. */
function asIfMissing(facts: IndexFacts): IndexFacts {
  const { table } = facts
  return {
    ...facts,
    readOnly: null,
    indexes: [],
    namesake: null,
    builds: [],
    isInTransaction: false,
    table: table === null ? null : { ...table, rights: { ...table.rights, lacking: [], isOwner: true } },
  }
}

function withoutParts({ table }: IndexFacts): IndexFacts['table'] {
  return table === null ? null : { ...table, kind: 'ordinary', partitions: [] }
}

function summed(
  { name }: VectorIndex,
  server: ForecastFacts,
  { speed, pilot, basis }: Measured,
  builds: Builds,
): BuildForecast {
  const costs = builds.map((build) => costOf(build, server, speed))
  const [largest] = builds
  const total = (value: (cost: (typeof costs)[number]) => number): number =>
    costs.reduce((sum, cost) => sum + value(cost), 0)
  const part = (of: keyof TimeRange): number => total(({ seconds }) => seconds?.[of] ?? 0)
  return {
    index: name,
    rows: total(({ rows }) => rows),
    seconds: speed === null ? null : { low: part('low'), likely: part('likely'), high: part('high') },
    bytes: total(({ bytes }) => bytes),
    walBytes: total(({ walBytes }) => walBytes),
    settings: largest.plan.settings,
    spillFactor: costs[0]?.spillFactor ?? null,
    pilot,
    basis,
    warnings: [...new Set(costs.flatMap(({ warnings }) => warnings))],
  }
}
