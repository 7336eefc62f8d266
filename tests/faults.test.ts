import { randomBytes } from 'node:crypto'

import Knex from 'knex'

import type * as deadlines from '../src/database/deadlines.ts'
import { injectFault, kinds, nameOf, runCleanly, type Fault, type Place, type Point } from './support/faults/inject.ts'
import { operations, type FaultyOperation } from './support/faults/operations.ts'
import { testServers } from './support/found-servers.ts'
import { silenceConsole } from './support/migrations.ts'

// Functions without options for them have these.
jest.mock('../src/database/deadlines.ts', () => {
  const actual = jest.requireActual<typeof deadlines>('../src/database/deadlines.ts')
  return { ...actual, defaultDeadlines: { connect: 500, lock: 500, ask: 300, close: 300, probe: 100 } }
})

// Each in a database of its own, because they mostly wait.
const PLACES = 6

// A prime number, so that the sample has every kind of fault at every kind of message.
const SAMPLE = '101'

// FAULTS=1 is all of them, FAULTS=5 every fifth one; FAULT names one.
const { FAULTS: each = SAMPLE, FAULT: one } = process.env
const server = testServers().found.findLast(({ pgvector, major }) => pgvector !== null && major >= 14)
const describeOnServer = server === undefined ? describe.skip : describe

function chosen(operation: FaultyOperation, points: readonly Point[]): readonly Fault[] {
  const all = points.flatMap((point) => kinds.map((kind): Fault => ({ ...point, kind })))
  if (one !== undefined) return all.filter((fault) => nameOf(operation, fault) === one)
  return all.filter(isApart).filter((_, index) => index % Number(each) === 0)
}

// Within an answer it makes no difference to either side where it breaks off: its first message and its last one will do.
function isApart({ sender, type, isFirst }: Fault): boolean {
  return sender === 'client' || isFirst || type === 'Z'
}

async function asAdministrator(statement: string): Promise<void> {
  const knex = Knex({ client: 'pg', connection: server?.url ?? '' })
  try {
    await knex.raw(statement)
  } finally {
    await knex.destroy()
  }
}

async function openPlace(): Promise<Place> {
  const name = `test_${randomBytes(6).toString('hex')}`
  await asAdministrator(`create database ${name}`)
  const url = new URL(server?.url ?? '')
  url.pathname = `/${name}`
  return { name, url: url.href, knex: Knex({ client: 'pg', connection: url.href, pool: { min: 1, max: 1 } }) }
}

describeOnServer(`at every message of its connections [${server?.name ?? 'no server'}]`, () => {
  silenceConsole()
  const places: Place[] = []
  const counts = { injected: 0, recovered: 0 }

  beforeAll(async () => {
    for (let count = 0; count < PLACES; count++) places.push(await openPlace())
  })

  afterAll(async () => {
    for (const { name, knex } of places) {
      await knex.destroy()
      await asAdministrator(`drop database ${name} with (force)`)
    }
    process.stderr.write(`One of ${each} faults: ${counts.injected} injected, ${counts.recovered} recovered\n`)
  })

  test.each(operations.map((operation) => [operation.name, operation] as const))(
    '%s ends in time with an error of ours or a success, and the next run finishes it',
    async (_, operation) => {
      const [first] = places
      if (first === undefined) throw new Error('there is no database')
      const { points, state } = await runCleanly(first, operation)
      const faults = chosen(operation, points)
      const failures: string[] = []
      let next = 0
      const work = async (place: Place): Promise<void> => {
        for (let fault = faults[next++]; fault !== undefined; fault = faults[next++]) {
          const { problems, isReached } = await injectFault(place, operation, fault, state)
          if (!isReached) continue
          counts.injected++
          if (problems.length === 0) counts.recovered++
          else failures.push([nameOf(operation, fault), ...problems].join('\n    '))
        }
      }
      await Promise.all(places.map(work))
      expect(failures).toEqual([])
    },
    600_000,
  )
})
