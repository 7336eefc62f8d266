import { createMigrator } from '../src/migrator.ts'
import { describeOnOneServer } from './support/databases.ts'
import { startProxy, type Proxy } from './support/proxy.ts'
import { source } from './support/steps.ts'

const migrations = Array.from({ length: 5 }, (_, index) => ({
  name: `00${index + 1}_table`,
  up: `create table t_${index + 1} (id int)`,
}))

describeOnOneServer('a run', (database) => {
  let proxy: Proxy

  beforeEach(async () => {
    proxy = await startProxy(database().url ?? '')
  })

  afterEach(() => proxy.close())

  const up = async (count: number, transaction: 'each' | 'batch'): Promise<void> => {
    const { connect } = database()
    const knex = connect({ connection: proxy.url })
    const migrationSource = source(...migrations.slice(0, count))
    expect((await createMigrator(knex, { migrationSource }).up({ transaction })).warnings).toEqual([])
    await knex.destroy()
  }
  /** Between the first statement of a migration and that of the next one: all that belongs to a migration. */
  const ofSecondMigration = (): readonly string[] => {
    const sent = proxy.connections.flatMap((connection) => connection.roundTrips())
    const at = (name: string): number => sent.findIndex((sql) => sql.startsWith(`create table ${name}`))
    return sent.slice(at('t_1') + 1, at('t_2') + 1)
  }

  test('takes two round trips per migration besides its own statement and the commit', async () => {
    await up(5, 'each')
    const [record, commit, begin, own, ...others] = ofSecondMigration()
    expect(record).toMatch(/insert into "knex_migrations"/)
    expect(commit).toMatch(/^commit;$/i)
    expect(begin).toMatch(/^begin isolation level read committed read write;/)
    expect(own).toMatch(/^create table t_2/)
    expect(others).toEqual([])
  })

  test('takes one in a batch', async () => {
    await up(5, 'batch')
    const [record, own, ...others] = ofSecondMigration()
    expect(record).toMatch(/insert into "knex_migrations"/)
    expect(own).toMatch(/^create table t_2/)
    expect(others).toEqual([])
  })

  test('looks in a batch only once, at its end, whether it still holds the lock', async () => {
    await up(5, 'batch')
    const sent = proxy.connections.flatMap((connection) => connection.roundTrips())
    const records = sent.filter((sql) => sql.includes('insert into "knex_migrations"'))
    expect(records.map((sql) => sql.includes('pg_locks'))).toEqual([false, false, false, false, true])
  })

  test('has one connection', async () => {
    await up(2, 'each')
    expect(proxy.connections).toHaveLength(1)
  })
})
