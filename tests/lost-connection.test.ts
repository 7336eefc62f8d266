import type { Knex } from 'knex'

import { backfillVectors, ensurePgvector, type PgvectorMigrationError } from '../src/index.ts'
import { createMigrator } from '../src/migrator.ts'
import { describeOnOneServer } from './support/databases.ts'
import { createDocuments, embedding } from './support/documents.ts'
import { expectError } from './support/expect-error.ts'
import { startProxy, type Inspect, type Proxy } from './support/proxy.ts'
import { source } from './support/steps.ts'

const quiet = { logger: false } as const

describeOnOneServer('a lost connection', (database) => {
  const proxies: Proxy[] = []

  afterEach(async () => {
    for (const proxy of proxies.splice(0)) await proxy.close()
  })

  /** A Knex instance whose connections a proxy looks at. */
  async function through(inspect: Inspect, config: Knex.Config = {}): Promise<Knex> {
    const proxy = await startProxy(database().url ?? '', inspect)
    proxies.push(proxy)
    const silent = { warn: () => undefined, error: () => undefined }
    return database().connect({ connection: proxy.url, log: silent, ...config })
  }

  /** Does it to the connection that sends a query with these words, before the query passes. */
  const at = (words: string, act: (connection: Proxy['connections'][number]) => Promise<void> | void): Inspect => {
    let isOver = false
    return ({ connection, sender, message }) => {
      if (isOver || sender !== 'client' || !message.body.includes(words)) return undefined
      isOver = true
      return act(connection) ?? undefined
    }
  }

  function expectReadable({ message }: PgvectorMigrationError): void {
    expect(message).toMatch(
      /^(The connection to (backend PID \d+|the server) was lost|No connection to 127\.0\.0\.1:\d+): (?!.*select)/,
    )
  }

  const terminated = async (connection: Proxy['connections'][number]): Promise<void> => {
    await database().knex.raw('select pg_terminate_backend(?, 10000)', [connection.backendPid()])
  }

  test.each([
    ['is reset', (connection: Proxy['connections'][number]) => connection.cut()],
    ['is closed', (connection: Proxy['connections'][number]) => connection.endOf('server')],
    ['loses its backend', terminated],
  ])('that %s is CONNECTION_LOST, without our SQL', async (_, act) => {
    const knex = await through(at('pg_extension', act))
    const error = await expectError('CONNECTION_LOST', () => ensurePgvector(knex, quiet))
    expectReadable(error)
    expect(error.details.processId).toEqual(expect.any(Number))
  })

  test('is CONNECTION_LOST where it is lost at the COMMIT of Knex', async () => {
    const knex = await through(at('COMMIT', (connection) => connection.cut()))
    expectReadable(await expectError('CONNECTION_LOST', () => ensurePgvector(knex, quiet)))
  })

  test('is CONNECTION_LOST before the first query', async () => {
    const knex = await through(({ connection }) => connection.cut() ?? undefined)
    expectReadable(await expectError('CONNECTION_LOST', () => ensurePgvector(knex, quiet)))
  })

  test('is CONNECTION_LOST where nothing answers in time', async () => {
    const pool = { createTimeoutMillis: 100 }
    const knex = await through(({ connection }) => connection.stall() ?? undefined, {
      acquireConnectionTimeout: 100,
      pool,
    })
    expectReadable(await expectError('CONNECTION_LOST', () => ensurePgvector(knex, quiet)))
  })

  test('is not what a full pool is taken for', async () => {
    const knex = await through(() => undefined, { acquireConnectionTimeout: 1000, pool: { min: 0, max: 1 } })
    const trx = await knex.transaction()
    await expect(ensurePgvector(knex, quiet)).rejects.toThrow(/The pool is probably full/)
    await trx.rollback()
  })

  test('is the cause of a migration that failed, whichever statement met it', async () => {
    const knex = await through(at('select 42', (connection) => connection.cut()))
    const migrator = createMigrator(knex, { migrationSource: source({ name: '001_asks', up: 'select 42' }) })
    const { cause } = await expectError('MIGRATION_FAILED', () => migrator.up())
    expectReadable(cause as PgvectorMigrationError)
  })

  test('ends a backfill with how far it had come', async () => {
    await createDocuments(database().knex, 3)
    await database().knex.raw('update documents set embedding = null')
    const knex = await through(at('for no key update', (connection) => connection.cut()))
    const error = await expectError('BACKFILL_FAILED', () =>
      backfillVectors(knex, embedding, {
        ...quiet,
        read: ['id'],
        embed: (rows) => Promise.resolve(rows.map(() => Array.from({ length: 16 }, () => 1))),
      }),
    )
    expect(error.details).toMatchObject({ filled: 0, problem: expect.stringMatching(/^The connection to/) })
  })
})
