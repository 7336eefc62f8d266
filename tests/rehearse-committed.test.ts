import type { Knex } from 'knex'
import { Query } from 'pg'

import { createMigrator } from '../src/migrator.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { items, migratorOf, source, type TestMigration } from './support/steps.ts'

interface Sending {
  query(statement: unknown): Promise<unknown>
}

/** Sends past everything that listens at the connection, as a library with a driver of its own may. */
async function sendPast(trx: Knex, sql: string): Promise<void> {
  const connection = (await trx.client.acquireConnection()) as Sending
  await (Object.getPrototypeOf(connection) as Sending).query.call(connection, sql)
}

/** Where a backslash escapes a quote, this commits; where it does not, the whole is a string and a comment. */
const hiddenCommit = `select '\\'; /*'; commit; select '*/'`

const ways: Readonly<Record<string, (trx: Knex) => Promise<unknown>>> = {
  'what the tokenizer cannot see': async (trx) => {
    await trx.raw('set standard_conforming_strings = off')
    await trx.raw(hiddenCommit)
  },
  'its own way to the connection': (trx) => sendPast(trx, 'commit'),
  'a commit with a transaction behind it': (trx) => sendPast(trx, 'commit and chain'),
  'a transaction of its own behind a commit': (trx) => sendPast(trx, 'commit; begin'),
}

describeOnEveryDatabase('a rehearsal that a migration commits', (database) => {
  test.each(Object.keys(ways))('is reported with what was committed: by %s', async (way) => {
    const { knex } = database()
    const migrator = await migratorOf(
      knex,
      [items],
      { name: '002_b', up: 'create table b ()' },
      {
        name: '003_commits',
        up: async (trx) => {
          await trx.raw('create table kept ()')
          await ways[way]?.(trx)
        },
      },
      { name: '004_never', up: 'create table never ()' },
    )
    const error = await expectError('REHEARSAL_COMMITTED', () => migrator.rehearse())
    expect(error.details).toMatchObject({ migration: '003_commits', end: 'committed' })
    expect(error.details.statements.slice(0, 2)).toEqual(['create table b ()', 'create table kept ()'])
    expect(error.message).toContain('create table kept ()')
    expect(await Promise.all(['b', 'kept', 'never'].map((table) => knex.schema.hasTable(table)))).toEqual([
      true,
      true,
      false,
    ])
  })

  test('is also reported if the migration rolls back and continues without a transaction', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [items], {
      name: '002_rolls_back',
      up: async (trx) => {
        await trx.raw('create table gone ()')
        await sendPast(trx, 'rollback')
        await sendPast(trx, 'create table kept ()')
      },
    })
    const error = await expectError('REHEARSAL_COMMITTED', () => migrator.rehearse())
    expect(error.details).toMatchObject({ migration: '002_rolls_back', end: 'rolled back' })
    expect(await knex.schema.hasTable('gone')).toBe(false)
    expect(await knex.schema.hasTable('kept')).toBe(true)
  })

  test('is reported where a hook commits', async () => {
    const { knex } = database()
    const hooks = { beforeAll: (trx: Knex) => sendPast(trx, 'create table kept (); commit') }
    Object.assign((knex.client as { config: Knex.Config }).config, { migrations: hooks })
    const migrator = createMigrator(knex, { migrationSource: source({ name: '001_b', up: 'create table b ()' }) })
    const error = await expectError('REHEARSAL_COMMITTED', () => migrator.rehearse())
    expect(error.details).toMatchObject({ migration: '001_b', end: 'committed' })
  })

  test('is reported where what a rollback would lose is looked at', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [
      { name: '001_b', up: 'create table b ()', down: (trx) => sendPast(trx, 'drop table b; commit') },
    ])
    const error = await expectError('REHEARSAL_COMMITTED', () => migrator.losses())
    expect(error.details.migration).toBe('001_b')
    expect(await knex.schema.hasTable('b')).toBe(false)
  })

  test('is refused where the commit is a query object of the driver', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [items], {
      name: '002_query',
      up: async (trx) => {
        const connection = (await trx.client.acquireConnection()) as Sending
        await connection.query(new Query('commit'))
      },
    })
    const { migrations } = await migrator.rehearse()
    expect(migrations[0]?.error?.cause).toMatchObject({ code: 'INVALID_MIGRATION' })
  })
})

describeOnEveryDatabase('a migration that commits by itself and then fails', (database) => {
  const commits: TestMigration = {
    name: '002_commits',
    up: async (trx) => {
      await trx.raw('create table kept ()')
      await trx.raw('commit')
      await trx.raw('select 1 / 0')
    },
  }

  test.each(['each', 'batch'] as const)('is not reported as rolled back (transaction: %s)', async (transaction) => {
    const { knex } = database()
    const migrator = createMigrator(knex, { migrationSource: source(items, commits) })
    const error = await expectError('MIGRATION_FAILED', () => migrator.up({ transaction }))
    expect(error.details).toMatchObject({ migration: '002_commits', transactional: false, done: ['001_items'] })
    expect(error.hint).toMatch(/^It committed its transaction itself: its earlier changes remain/)
    expect(await knex.schema.hasTable('kept')).toBe(true)
    expect(await knex('knex_migrations').pluck('name')).toEqual(['001_items'])
  })
})
