import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Comparison } from './report.ts'
import type { Order, Write } from './writer.ts'

const ALONE_MILLISECONDS = 10_000

/** What each write of one writer took in one round. */
interface Round {
  /** Without a build, and without the index. */
  readonly alone: readonly number[]
  readonly beside: readonly number[]
  /** Those of them that had the index to maintain: PostgreSQL lets them before it validates. */
  readonly maintaining: readonly number[]
  /** Those before. */
  readonly before: readonly number[]
  /** Without a build, once the index is there. */
  readonly after: readonly number[]
}

/** What to measure, and how often. */
export interface WritersOptions {
  readonly label: string
  readonly rounds: number
  /** Milliseconds that the build may keep a writer waiting. */
  readonly lockTimeout: number
  /** Builds, and calls what it is given when the build itself has ended: from then on writes maintain the index. */
  readonly build: (validates: () => void) => Promise<unknown>
  readonly drop: () => Promise<unknown>
}

/** What a build does to somebody who writes to the table, one write after the other. */
export async function compareWriters(
  url: string,
  { label, rounds, lockTimeout, build, drop }: WritersOptions,
): Promise<Comparison[]> {
  const measured: Round[] = []
  const writer = await startWriter(url)
  for (let round = 0; round < rounds; round++) {
    measured.push(await writeRound(writer, build))
    await drop()
  }
  writer.end()
  const p99 = (of: keyof Round): number[] => measured.map((round) => percentile(round[of], 0.99))
  const p50 = (of: keyof Round): number[] => measured.map((round) => percentile(round[of], 0.5))
  const longest = Math.max(...measured.map(({ beside }) => percentile(beside, 1)))
  const against = 'without build and index, p99'
  return [
    { what: `${label}, p99`, milliseconds: p99('beside'), against, baseline: p99('alone'), target: { atMost: 2 } },
    { what: `${label}, p99`, ...information(p99('beside'), p99('after'), 'without build, with the index, p99') },
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

async function writeRound(writer: Writer, build: WritersOptions['build']): Promise<Round> {
  const alone = await writer.during(() => sleep(ALONE_MILLISECONDS))
  let maintainedFrom = Number.POSITIVE_INFINITY
  const beside = await writer.during(() =>
    build(() => {
      maintainedFrom = Math.min(maintainedFrom, performance.timeOrigin + performance.now())
    }),
  )
  return {
    alone: timesOf(alone),
    beside: timesOf(beside),
    maintaining: timesOf(beside.filter(({ at }) => at >= maintainedFrom)),
    before: timesOf(beside.filter(({ at }) => at < maintainedFrom)),
    after: timesOf(await writer.during(() => sleep(ALONE_MILLISECONDS))),
  }
}

function timesOf(writes: readonly Write[]): number[] {
  return writes.map(({ milliseconds }) => milliseconds)
}

interface Writer {
  /** What it wrote while something else went on. */
  during(work: () => Promise<unknown>): Promise<readonly Write[]>
  end(): void
}

async function startWriter(url: string): Promise<Writer> {
  const child = fork(join(__dirname, 'writer.ts'), {
    execArgv: ['-r', 'sucrase/register/ts'],
    env: { ...process.env, DATABASE_URL: url },
  })
  const tell = (order: Order): boolean => child.send(order)
  await once(child, 'message')
  return {
    during: async (work) => {
      tell('write')
      await work()
      tell('stop')
      const [writes] = (await once(child, 'message')) as [readonly Write[]]
      return writes
    },
    end: () => void tell('end'),
  }
}

/** The time that this share of them does not exceed. */
function percentile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((left, right) => left - right)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
