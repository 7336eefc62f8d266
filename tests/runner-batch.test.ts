import { createMigrator } from '../src/migrator.ts'
import { describeOnEveryDatabase, describeOnOneServer } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { source } from './support/steps.ts'

const first = { name: '001_first', up: 'create table first (id int)', down: 'drop table first' }
const second = { name: '002_second', up: 'create table second (id int)', down: 'drop table second' }
const broken = { name: '003_broken', up: 'select 1/0' }
const last = { name: '004_last', up: 'create table last (id int)' }

describeOnEveryDatabase('a run in one transaction', (database) => {
  test('commits all migrations at once, up and down', async () => {
    const { knex } = database()
    const migrator = createMigrator(knex, { migrationSource: source(first, second) })
    const up = await migrator.up({ transaction: 'batch' })
    expect(up).toMatchObject({ batch: 1, transaction: 'batch', warnings: [] })
    expect(up.migrations.map(({ name }) => name)).toEqual(['001_first', '002_second'])
    const times = await knex('knex_migrations').distinct('migration_time')
    expect(times).toHaveLength(1)
    expect(await migrator.down({ steps: 2, transaction: 'batch' })).toMatchObject({ transaction: 'batch' })
    expect(await knex.schema.hasTable('first')).toBe(false)
  })

  test('keeps nothing where one of them fails, and says which', async () => {
    const { knex } = database()
    const migrator = createMigrator(knex, { migrationSource: source(first, second, broken, last) })
    const error = await expectError('MIGRATION_FAILED', () => migrator.up({ transaction: 'batch' }))
    expect(error.details).toEqual({
      migration: '003_broken',
      direction: 'up',
      transactional: true,
      done: [],
      left: ['001_first', '002_second', '004_last'],
    })
    expect(error.hint).toContain('nothing of this run was kept')
    expect(await knex.schema.hasTable('first')).toBe(false)
    expect(await knex('knex_migrations').pluck('name')).toEqual([])
    expect(await knex('knex_migrations_lock').pluck('is_locked')).toEqual([0])
    const entries = await migrator.history()
    const migrations = entries.flatMap((entry) => (entry.kind === 'migration' ? [entry.migration] : []))
    expect(migrations).toEqual(['003_broken'])
  })

  test('commits each by itself where one asks for no transaction, and the result says so', async () => {
    const { knex } = database()
    const outside = { ...second, transaction: false }
    const migrator = createMigrator(knex, { migrationSource: source(first, outside) })
    expect(await migrator.up({ transaction: 'batch' })).toMatchObject({ batch: 1, transaction: 'each' })
    expect(await knex('knex_migrations').pluck('name')).toEqual(['001_first', '002_second'])
  })
})

describeOnOneServer('a run in one transaction', (database) => {
  test('keeps nothing where a migration gives the lock away', async () => {
    const { knex } = database()
    const careless = { name: '002_careless', up: 'select pg_advisory_unlock_all()' }
    const migrator = createMigrator(knex, { migrationSource: source(first, careless, last) })
    const error = await expectError('MIGRATION_FAILED', () => migrator.up({ transaction: 'batch' }))
    expect(error.cause).toMatchObject({ code: 'MIGRATION_LOCK_LOST' })
    expect(await knex.schema.hasTable('first')).toBe(false)
    expect(await knex('knex_migrations')).toEqual([])
  })
})
