import type { Knex } from 'knex'

import { within } from '../src/database/deadlines.ts'
import { createMigrator } from '../src/migrator.ts'
import { describeOnServers } from './support/databases.ts'
import { items, source, type TestMigration } from './support/steps.ts'

const concurrently: TestMigration = {
  name: '002_index',
  transaction: false,
  up: 'create index concurrently items_title on items (title)',
  down: 'drop index concurrently items_title',
}

// Longer than all deadlines together, on a machine that is busy with other things.
const LIMIT = 40_000

const defaults = [
  ['database', `default_transaction_isolation = 'repeatable read'`],
  ['database', `default_transaction_isolation = 'serializable'`],
  ['role', `default_transaction_isolation = 'repeatable read'`],
  ['role', `default_transaction_isolation = 'serializable'`],
  ['database', `idle_in_transaction_session_timeout = '1ms'`],
] as const

describeOnServers('migrations under other defaults', (database) => {
  /** Sets a default of the database, or of the role in it, and connects. */
  async function connectWith(whose: 'database' | 'role', setting: string): Promise<Knex> {
    const { knex, connect } = database()
    const target = whose === 'database' ? 'database %1$I' : 'role current_user in database %1$I'
    await knex.raw(
      `do $$ begin execute format('alter ${target} set ${setting.replaceAll(`'`, `''`)}', current_database()); end $$`,
    )
    return connect()
  }

  test.each(defaults)('are rehearsed, applied, rolled back and adopted where the %s has %s', async (whose, setting) => {
    const knex = await connectWith(whose, setting)
    const migrator = createMigrator(knex, {
      migrationSource: source({ ...items, down: 'drop table items' }, concurrently),
    })
    const inTime = async <Result>(work: Promise<Result>): Promise<Result | 'hangs'> =>
      (await within(LIMIT, work)) ?? 'hangs'
    const both = [{ name: '001_items' }, { name: '002_index' }]
    expect(await inTime(migrator.rehearse())).toMatchObject({ migrations: both })
    expect(await inTime(migrator.up())).toMatchObject({ migrations: both })
    expect(await inTime(migrator.rehearse())).toMatchObject({ migrations: [] })
    expect(await inTime(migrator.down({ steps: 2 }))).toMatchObject({ migrations: both.toReversed() })
    await knex.raw('create table items (id serial primary key, title text); create index items_title on items (title)')
    expect(await inTime(migrator.adopt())).toMatchObject({ adopted: both })
    expect(await knex('knex_migrations_lock').pluck('is_locked')).toEqual([0])
  })
})
