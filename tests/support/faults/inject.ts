import { setTimeout as passed } from 'node:timers/promises'

import Knex, { type Knex as KnexInstance } from 'knex'

import { isPgvectorMigrationError } from '../../../src/index.ts'
import { withDatabase, type Place } from './copies.ts'
import { hurried } from './deadlines.ts'
import { startProxy, type Inspect, type Sender } from '../proxy.ts'
import type { FaultyOperation } from './operations.ts'
import { comparedStates, readLeftovers, readState, type DatabaseState } from './state.ts'

export const kinds = ['cut', 'half-close', 'stall', 'terminate'] as const

/** What happens to a connection: it is reset, one side says that it sends no more, nothing gets through, its backend ends. */
export type FaultKind = (typeof kinds)[number]

/** A message that passed in a run without faults. */
export interface Point {
  readonly connection: number
  readonly sender: Sender
  readonly message: number
  readonly type: string
  /** Whether it begins what its side says in turn. */
  readonly isFirst: boolean
}

export interface Fault extends Point {
  readonly kind: FaultKind
}

/** How a fault is named on the command line and in a report: "up 0>12 cut" is at the client's message 12. */
export function nameOf(operation: FaultyOperation, { connection, sender, message, kind }: Fault): string {
  return `${operation.name} ${connection}${sender === 'client' ? '>' : '<'}${message} ${kind}`
}

/** Longer than all deadlines of an operation together, on a machine that is busy with other things. */
const LIMIT = 20_000

const SILENT = { warn: () => undefined, error: () => undefined }

function connectTo(url: string, acquireConnectionTimeout: number): KnexInstance {
  return Knex({
    client: 'pg',
    connection: { connectionString: url },
    pool: { min: 0, max: 3 },
    acquireConnectionTimeout,
    log: SILENT,
  })
}

/** Runs an operation without a fault: where messages pass, and what it comes to. */
export async function runCleanly(
  place: Place,
  operation: FaultyOperation,
): Promise<{ readonly points: readonly Point[]; readonly state: DatabaseState }> {
  const points: Point[] = []
  const speakers = new Map<number, Sender>()
  const { outcome } = await runThrough(place, operation, ({ place: connection, sender, number, message }) => {
    const isFirst = speakers.get(connection) !== sender
    speakers.set(connection, sender)
    points.push({ connection, sender, message: number, type: message.type, isFirst })
    return undefined
  })
  if (outcome !== null) throw outcome.error
  const leftovers = await leftoversOf(place)
  if (leftovers.length > 0) throw new Error(`A run without faults left ${leftovers.join(', ')}`)
  return { points, state: await withDatabase(place.url, readState) }
}

/** What a fault came to: what is wrong about it, or that its message was never sent. */
export interface FaultResult {
  readonly problems: readonly string[]
  readonly isReached: boolean
  readonly milliseconds: number
  readonly error: unknown
}

export async function injectFault(
  place: Place,
  operation: FaultyOperation,
  fault: Fault,
  expected: DatabaseState,
): Promise<FaultResult> {
  const started = performance.now()
  let isReached = false
  const problems: string[] = []
  const first = await runThrough(
    place,
    operation,
    ({ connection, place: at, sender, number }) => {
      if (isReached || at !== fault.connection || sender !== fault.sender || number !== fault.message) return undefined
      isReached = true
      if (fault.kind === 'cut') connection.cut()
      if (fault.kind === 'stall') connection.stall()
      if (fault.kind === 'half-close') connection.endOf(sender)
      const pid = connection.backendPid()
      if (fault.kind !== 'terminate' || pid === null) return undefined
      return place.administrator.raw('select pg_terminate_backend(?, 2000)', [pid]).then(() => undefined)
    },
    1000,
  )
  problems.push(...first.problems)
  if (first.outcome !== null) problems.push(...problemsOf(first.outcome.error))
  problems.push(...(await leftoversOf(place)))
  const second = await runThrough(place, operation, () => undefined)
  if (second.outcome !== null) problems.push(`the next run failed: ${String(second.outcome.error)}`)
  problems.push(...second.problems.map((problem) => `the next run: ${problem}`))
  problems.push(...(await leftoversOf(place)).map((leftover) => `after the next run: ${leftover}`))
  const seen = await withDatabase(place.url, readState)
  problems.push(...comparedStates(seen, expected))
  return { problems, isReached, milliseconds: performance.now() - started, error: first.outcome?.error }
}

interface Ran {
  readonly outcome: { readonly error: unknown } | null
  readonly problems: readonly string[]
}

async function runThrough(place: Place, operation: FaultyOperation, inspect: Inspect, toConnect = LIMIT): Promise<Ran> {
  const proxy = await startProxy(place.url, inspect)
  const knex = connectTo(proxy.url, toConnect)
  const problems: string[] = []
  const started = performance.now()
  try {
    const work = (): Promise<unknown> => operation.run(knex)
    const running = (toConnect < LIMIT ? hurried(work) : work()).then(
      () => null,
      (error: unknown) => ({ error }),
    )
    const limit = new AbortController()
    const outcome = await Promise.race([
      running,
      passed(LIMIT, undefined, { signal: limit.signal }).then(() => 'hangs' as const),
    ])
    limit.abort()
    if (outcome !== 'hangs') return { outcome, problems }
    problems.push(`it had not ended after ${Math.round(performance.now() - started)} ms`)
    return { outcome: null, problems }
  } finally {
    proxy.dropStalled()
    void knex.destroy().catch(() => undefined)
    await passed(1)
    await proxy.close()
  }
}

/** What is left once the server has noticed that its clients are gone. */
export async function leftoversOf({ name, administrator }: Place): Promise<readonly string[]> {
  const deadline = performance.now() + 3000
  for (;;) {
    const leftovers = await readLeftovers(administrator, name)
    if (leftovers.length === 0 || performance.now() > deadline) return leftovers
    await passed(10)
  }
}

// What our statements have and no sentence.
const OUR_SQL = /\b(pg_catalog|set_config|select|insert into|declare|begin isolation|set local)\b/i

function problemsOf(error: unknown): string[] {
  if (!isPgvectorMigrationError(error)) return [`it failed with what is no error of ours: ${String(error)}`]
  return OUR_SQL.test(error.message) ? [`its error shows our SQL: ${error.message}`] : []
}
