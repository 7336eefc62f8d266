import Knex, { type Knex as KnexInstance } from 'knex'

import type * as deadlines from '../src/database/deadlines.ts'
import type * as faultDeadlines from './support/faults/deadlines.ts'
import { createTemplate } from './support/faults/copies.ts'
import { injectFault, kinds, nameOf, runCleanly, type Fault, type Point } from './support/faults/inject.ts'
import { operations, type FaultyOperation } from './support/faults/operations.ts'
import { testServers } from './support/found-servers.ts'
import { silenceConsole } from './support/migrations.ts'

// Functions without options for them have these.
jest.mock('../src/database/deadlines.ts', () => {
  const { currentDeadlines } = jest.requireActual<typeof faultDeadlines>('./support/faults/deadlines.ts')
  const { deadlinesOf, within } = jest.requireActual<typeof deadlines>('../src/database/deadlines.ts')
  return {
    deadlinesOf,
    within,
    get defaultDeadlines() {
      return currentDeadlines()
    },
  }
})

// Each in a database of its own, because they mostly wait.
const AT_A_TIME = 8

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

describeOnServer(`at every message of its connections [${server?.name ?? 'no server'}]`, () => {
  silenceConsole()
  const counts = { injected: 0, recovered: 0 }
  let administrator: KnexInstance

  beforeAll(() => {
    administrator = Knex({ client: 'pg', connection: server?.url ?? '', pool: { min: 0, max: AT_A_TIME } })
  })

  afterAll(async () => {
    await administrator.destroy()
    process.stderr.write(`One of ${each} faults: ${counts.injected} injected, ${counts.recovered} recovered\n`)
  })

  test.each(operations.map((operation) => [operation.name, operation] as const))(
    '%s ends in time with an error of ours or a success, and the next run finishes it',
    async (_, operation) => {
      if (server === undefined) throw new Error('there is no server')
      const template = await createTemplate(server, administrator, operation.prepare)
      const { points, state } = await template.withCopy((place) => runCleanly(place, operation))
      const faults = chosen(operation, points)
      const failures: string[] = []
      let next = 0
      const inject = async (): Promise<void> => {
        for (let fault = faults[next++]; fault !== undefined; fault = faults[next++]) {
          const injected = fault
          const { problems, isReached } = await template
            .withCopy((place) => injectFault(place, operation, injected, state))
            .catch((error: unknown) => ({ problems: [`it could not be injected: ${String(error)}`], isReached: true }))
          if (!isReached) continue
          counts.injected++
          if (problems.length === 0) counts.recovered++
          else failures.push([nameOf(operation, fault), ...problems].join('\n    '))
        }
      }
      await Promise.all(Array.from({ length: AT_A_TIME }, inject))
      await template.drop()
      expect(failures).toEqual([])
    },
    600_000,
  )
})
