import { createMigrator } from '../src/migrator.ts'
import { describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { source } from './support/steps.ts'

const first = { name: '001_first', up: 'create table first (id int)' }
const last = { name: '003_last', up: 'create table last (id int)' }

describeOnServers('a run whose signal comes between two statements', (database) => {
  test.each([true, false])(
    'stops at the next one, and says where things stand (transaction: %s)',
    async (transaction) => {
      const { knex, connect } = database()
      const beside = connect()
      const stop = new AbortController()
      const between = {
        name: '002_between',
        transaction,
        up: async (trx: typeof knex) => {
          await trx.raw('select 1')
          stop.abort('SIGTERM')
          // By now the server has been asked to cancel, and has found nothing to cancel.
          await beside.raw('select pg_sleep(0.05)')
          await trx.raw('select pg_sleep(30)')
        },
      }
      const migrator = createMigrator(knex, { migrationSource: source(first, between, last) })
      const error = await expectError('MIGRATION_INTERRUPTED', () => migrator.up({ signal: stop.signal }))
      expect(error.details).toEqual({
        migration: '002_between',
        signal: 'SIGTERM',
        done: ['001_first'],
        left: ['003_last'],
      })
      expect(error.message).toBe('Interrupted by SIGTERM during 002_between (done: 1, remaining: 1)')
      expect(await knex('knex_migrations').pluck('name')).toEqual(['001_first'])
    },
  )

  test('between two migrations leaves the second one for later', async () => {
    const { knex } = database()
    const stop = new AbortController()
    const migrator = createMigrator(knex, { migrationSource: source(first, last) })
    const onEvent = ({ type }: { readonly type: string }): void => {
      if (type === 'finished') stop.abort('SIGINT')
    }
    const { details } = await expectError('MIGRATION_INTERRUPTED', () => migrator.up({ signal: stop.signal, onEvent }))
    expect(details).toEqual({ migration: null, signal: 'SIGINT', done: ['001_first'], left: ['003_last'] })
    expect((await migrator.up()).migrations).toMatchObject([{ name: '003_last' }])
  })
})
