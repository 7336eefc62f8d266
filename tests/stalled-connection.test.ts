import type { Knex } from 'knex'

import type * as deadlines from '../src/database/deadlines.ts'
import { ensurePgvector, isPgvectorMigrationError, type PgvectorMigrationError } from '../src/index.ts'
import { createMigrator, type MigratorOptions } from '../src/migrator.ts'
import { describeOnOneServer } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { hasPgBouncer, startPgBouncer, type RunningPgBouncer } from './support/pgbouncer.ts'
import { startProxy, type Proxy } from './support/proxy.ts'
import { items, source } from './support/steps.ts'

jest.mock('../src/database/deadlines.ts', () => {
  const actual = jest.requireActual<typeof deadlines>('../src/database/deadlines.ts')
  return { ...actual, defaultDeadlines: { ...actual.defaultDeadlines, probe: 50 } }
})

/** What a query of node-postgres is handed to send its messages with. */
interface Sending {
  readonly query: (text: string) => void
  readonly sendCopyFromChunk: (chunk: Buffer) => void
  readonly endCopyFrom: () => void
}

interface Client {
  readonly query: (query: object) => void
}

const testWithPgBouncer = hasPgBouncer || process.env['CI'] === 'true' ? test : test.skip

describeOnOneServer('a connection that passes nothing on any more', (database) => {
  const proxies: Proxy[] = []

  afterEach(async () => {
    for (const proxy of proxies.splice(0)) await proxy.close()
  })

  /** A Knex instance whose connection stalls once it sends a message with these words. */
  async function stallingAt(words: string, onStall: () => void = () => undefined, url?: string): Promise<Knex> {
    let isOver = false
    const proxy = await startProxy(url ?? database().url ?? '', ({ connection, sender, message }) => {
      if (isOver || sender !== 'client' || !message.body.includes(words)) return undefined
      isOver = true
      connection.stall()
      onStall()
      return undefined
    })
    proxies.push(proxy)
    return database().connect({ connection: proxy.url })
  }

  const migratorOf = (knex: Knex, given: MigratorOptions['deadlines']): ReturnType<typeof createMigrator> =>
    createMigrator(knex, { migrationSource: source(items), deadlines: given })

  test.each(['pg_extension', 'begin isolation', 'create extension', 'COMMIT'])(
    'ends the wait of ensurePgvector at %s',
    async (words) => {
      const knex = await stallingAt(words)
      await expectError('CONNECTION_LOST', () => ensurePgvector(knex, { logger: false }))
    },
  )

  test.each(['readOnly', 'create table "knex_migrations"', 'pg_try_advisory_lock', 'is_locked = 1', 'is_locked = 0'])(
    'ends the wait of a run at %s, and the next run continues at once',
    async (words) => {
      const stalled = migratorOf(await stallingAt(words), { probe: 50 })
      // A run that is stalled after its last commit has succeeded.
      const outcome = await stalled.up().then(
        () => 'succeeded',
        (error: PgvectorMigrationError) => error.code,
      )
      expect(outcome).toBe(words === 'is_locked = 0' ? 'succeeded' : 'CONNECTION_LOST')
      await migratorOf(database().knex, {}).up({ wait: 1000 })
      expect(await database().knex('items').pluck('title')).toEqual(['a', 'b'])
      expect(await database().knex('knex_migrations_lock').pluck('is_locked')).toEqual([0])
    },
  )

  test('is not one on which a migration copies rows that it gets slowly', async () => {
    const { knex } = database()
    await knex.raw('create table items (title text)')
    const up = async (trx: Knex): Promise<void> => {
      const connection = (await trx.client.acquireConnection()) as Client
      await new Promise<void>((resolve, reject) => {
        const copy = {
          submit: (sending: Sending) => sending.query('copy items (title) from stdin'),
          write: () => undefined,
          handleCopyInResponse: (sending: Sending) => {
            // Longer than several looks at the backend.
            void knex.raw('select pg_sleep(0.7)').then(() => {
              sending.sendCopyFromChunk(Buffer.from('a\n'))
              sending.endCopyFrom()
              return undefined
            })
          },
          handleCommandComplete: () => undefined,
          handleReadyForQuery: () => resolve(),
          handleError: reject,
        }
        connection.query(copy)
      })
    }
    const migrationSource = { ...source(), getMigrations: () => Promise.resolve(['001_copies']) }
    const migrator = createMigrator(knex, {
      migrationSource: {
        ...migrationSource,
        getMigrationName: () => '001_copies',
        getMigration: () => Promise.resolve({ up, down: up }),
      },
      deadlines: { probe: 50 },
    })
    await migrator.up()
    expect(await knex('items').pluck('title')).toEqual(['a'])
  })

  test.each(['readOnly', 'is_locked = 1', 'create table items'])(
    'does not keep a run from ending at %s once its signal comes',
    async (words) => {
      const controller = new AbortController()
      const stalled = migratorOf(await stallingAt(words, () => controller.abort()), { probe: 60_000, close: 1000 })
      const started = performance.now()
      await expect(stalled.up({ signal: controller.signal })).rejects.toMatchObject({
        code: expect.stringMatching(/^(MIGRATION_INTERRUPTED|CONNECTION_LOST)$/),
      })
      expect(performance.now() - started).toBeLessThan(10_000)
    },
  )

  describe('to PgBouncer in transaction mode', () => {
    let pooler: RunningPgBouncer | undefined

    beforeEach(async () => {
      if (hasPgBouncer) pooler = await startPgBouncer(database().url ?? '')
    })

    afterEach(async () => {
      await pooler?.stop()
      pooler = undefined
    })

    testWithPgBouncer.each(['readOnly', 'pg_try_advisory_lock', 'is_locked = 1', 'create table items', 'COMMIT'])(
      'ends the wait of a run at %s, and the next run continues at once',
      async (words) => {
        const through = await stallingAt(words, undefined, pooler?.url)
        await expectError('CONNECTION_LOST', () =>
          migratorOf(through, { probe: 50 })
            .up()
            .catch((failure: unknown) => {
              throw isPgvectorMigrationError(failure, 'MIGRATION_FAILED') ? failure.cause : failure
            }),
        )
        await through.destroy()
        await migratorOf(database().knex, {}).up({ wait: 5000 })
        expect(await database().knex('items').pluck('title')).toEqual(['a', 'b'])
      },
    )

    testWithPgBouncer('leaves a statement alone that its backend works on', async () => {
      const through = database().connect({ connection: pooler?.url ?? '' })
      const slow = { name: '001_slow', up: 'create table slow (); select pg_sleep(1.5)' }
      const migrator = createMigrator(through, { migrationSource: source(slow), deadlines: { probe: 50 } })
      expect((await migrator.up()).migrations).toMatchObject([{ name: '001_slow' }])
      await through.destroy()
    })

    testWithPgBouncer('ends the wait of ensurePgvector', async () => {
      const through = await stallingAt('create extension', undefined, pooler?.url)
      await expectError('CONNECTION_LOST', () => ensurePgvector(through, { logger: false }))
      await through.destroy()
    })
  })
})
