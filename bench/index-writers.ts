import { setTimeout as sleep } from 'node:timers/promises'

import type { Knex } from 'knex'

import type { Comparison } from './report.ts'

const ALONE_MILLISECONDS = 10_000
const LOOKS_EVERY = 50

/** One write: when it began, on the clock of performance.now(), and what it took, in milliseconds. */
interface Write {
  readonly at: number
  readonly milliseconds: number
}

/** What each write of one writer took in one round. */
interface Round {
  /** Without a build, and without the index. */
  readonly alone: readonly number[]
  readonly beside: readonly number[]
  /** Those of them that had the index to maintain: PostgreSQL lets them before it validates. */
  readonly maintaining: readonly number[]
  /** Those before. */
  readonly before: readonly number[]
}

/** What to measure, and how often. */
export interface WritersOptions {
  readonly label: string
  readonly rounds: number
  /** Milliseconds that the build may keep a writer waiting. */
  readonly lockTimeout: number
  readonly build: () => Promise<unknown>
  readonly drop: () => Promise<unknown>
}

/**
 * What a build does to somebody who writes to the table, one write after the other.
 *
 * @param knex A pool of the writer's own, as that of another application.
 */
export async function compareWriters(
  knex: Knex,
  { label, rounds, lockTimeout, build, drop }: WritersOptions,
): Promise<Comparison[]> {
  const measured: Round[] = []
  for (let round = 0; round < rounds; round++) {
    measured.push(await writeRound(knex, build))
    await drop()
  }
  const p99 = (of: keyof Round): number[] => measured.map((round) => percentile(round[of], 0.99))
  const p50 = (of: keyof Round): number[] => measured.map((round) => percentile(round[of], 0.5))
  const longest = Math.max(...measured.map(({ beside }) => percentile(beside, 1)))
  const against = 'without build and index, p99'
  return [
    { what: `${label}, p99`, milliseconds: p99('beside'), against, baseline: p99('alone'), target: { atMost: 2 } },
    { what: `${label}, before it maintains the index, p99`, ...information(p99('before'), p99('alone'), against) },
    {
      what: `${label}, once it does, median`,
      ...information(p50('maintaining'), p50('alone'), 'without build and index, median'),
    },
    {
      what: `${label}, longest`,
      milliseconds: [longest],
      against: 'lockTimeout',
      baseline: [lockTimeout],
      target: { atMost: 1 },
    },
  ]
}

function information(
  milliseconds: readonly number[],
  baseline: readonly number[],
  against: string,
): Omit<Comparison, 'what'> {
  return { milliseconds, against, baseline, target: null }
}

async function writeRound(knex: Knex, build: () => Promise<unknown>): Promise<Round> {
  const { writes: alone } = await writeWhile(knex, () => sleep(ALONE_MILLISECONDS))
  const { writes: beside, result: maintainedFrom } = await writeWhile(knex, () => untilMaintained(knex, build))
  return {
    alone: timesOf(alone),
    beside: timesOf(beside),
    maintaining: timesOf(beside.filter(({ at }) => at >= maintainedFrom)),
    before: timesOf(beside.filter(({ at }) => at < maintainedFrom)),
  }
}

function timesOf(writes: readonly Write[]): number[] {
  return writes.map(({ milliseconds }) => milliseconds)
}

/** The writes of one writer, as long as the work goes on. */
async function writeWhile<Result>(
  knex: Knex,
  work: () => Promise<Result>,
): Promise<{ readonly writes: readonly Write[]; readonly result: Result }> {
  const writes: Write[] = []
  const state = { isWorking: true }
  const writing = (async () => {
    for (let id = 1; state.isWorking; id++) {
      const at = performance.now()
      await knex.raw(`update documents set note = ${id} where id = ${(id % 1000) + 1}`)
      writes.push({ at, milliseconds: performance.now() - at })
    }
  })()
  const result = await work()
  state.isWorking = false
  await writing
  return { writes, result }
}

/** Builds, and tells when the build itself had ended, from where on every write puts its row into the index too. */
async function untilMaintained(knex: Knex, build: () => Promise<unknown>): Promise<number> {
  const state = { isBuilding: true }
  let maintainedFrom = Number.POSITIVE_INFINITY
  const watching = (async () => {
    while (state.isBuilding && maintainedFrom === Number.POSITIVE_INFINITY) {
      const { rows } = await knex.raw<{ rows: { phase: string }[] }>('select phase from pg_stat_progress_create_index')
      if (/validat/.test(rows[0]?.phase ?? '')) maintainedFrom = performance.now()
      await sleep(LOOKS_EVERY)
    }
  })()
  await build()
  state.isBuilding = false
  await watching
  return maintainedFrom
}

/** The time that this share of them does not exceed. */
function percentile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((left, right) => left - right)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
