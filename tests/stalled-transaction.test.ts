import type { Knex } from 'knex'

import type * as deadlines from '../src/database/deadlines.ts'
import { addVectorColumn, dropPgvector, ensurePgvector, vectorColumn } from '../src/index.ts'
import { describeOnServers } from './support/databases.ts'
import { startProxy } from './support/proxy.ts'

// The client of a stalled transaction does not notice: the server alone can end it.
jest.mock('../src/database/deadlines.ts', () => {
  const actual = jest.requireActual<typeof deadlines>('../src/database/deadlines.ts')
  return { ...actual, defaultDeadlines: { ...actual.defaultDeadlines, ask: 500, probe: 600_000 } }
})

const silent = { logger: false } as const
const column = vectorColumn('documents', 'embedding', { dimensions: 3 })

describeOnServers('a transaction of ours whose client falls silent', (database) => {
  /** Goes on while a connection of other work is stalled: once the server has done what was sent with these words. */
  async function whileStalled(
    words: string,
    work: (knex: Knex) => Promise<unknown>,
    goOn: () => Promise<void>,
  ): Promise<void> {
    let isSent = false
    let stalled = (): void => undefined
    const hasStalled = new Promise<void>((resolve) => {
      stalled = resolve
    })
    const proxy = await startProxy(database().url ?? '', ({ connection, sender, message }) => {
      if (sender === 'client') isSent ||= message.body.includes(words)
      else if (isSent && message.type === 'Z') {
        connection.stall()
        stalled()
      }
      return undefined
    })
    const knex = database().connect({ connection: proxy.url })
    const working = work(knex).catch(() => undefined)
    try {
      await hasStalled
      await goOn()
    } finally {
      await proxy.close()
      await working
    }
  }

  test.each(['pg_try_advisory_xact_lock', 'create extension', `'[1,2,3]'`])(
    'does not keep the extension from the next one where it stalls at %s',
    (words) =>
      whileStalled(
        words,
        (knex) => ensurePgvector(knex, silent),
        async () => {
          const { status } = await ensurePgvector(database().knex, { ...silent, wait: 5000 })
          expect(status).toBe('created')
        },
      ),
  )

  test('does not keep the extension from being dropped', async () => {
    await ensurePgvector(database().knex, silent)
    await whileStalled(
      'pg_try_advisory_xact_lock',
      (knex) => dropPgvector(knex, silent),
      async () => {
        const { status } = await dropPgvector(database().knex, { ...silent, wait: 5000 })
        expect(status).toBe('dropped')
      },
    )
  })

  test('does not keep a table locked to which it adds a column', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await knex.raw('create table documents (id int)')
    await whileStalled(
      'alter table',
      (stalling) => addVectorColumn(stalling, column, silent),
      async () => {
        await knex.raw(`set lock_timeout = '5s'; select * from documents`)
        expect(await addVectorColumn(knex, column, silent)).toMatchObject({ status: 'added' })
      },
    )
  })
})
