import { createMigrator } from '../src/migrator.ts'
import { describeOnServers } from './support/databases.ts'
import { everything } from './support/everything.ts'
import { expectError } from './support/expect-error.ts'
import { hasPgBouncer, startPgBouncer } from './support/pgbouncer.ts'
import { until } from './support/phases.ts'
import { items, migratorOf, source, states, type TestMigration } from './support/steps.ts'

const testWithPgBouncer = hasPgBouncer || process.env['CI'] === 'true' ? test : test.skip

describeOnServers('rehearse with other sessions at work', (database) => {
  test('does not wait longer for a lock than lockTimeout, and names the blocking session', async () => {
    const { knex, connect } = database()
    const migrator = await migratorOf(knex, [items], {
      name: '002_price',
      up: 'alter table items add column price int',
    })
    const reader = await connect().transaction()
    await reader.raw('select * from items')
    const started = performance.now()
    const rehearsal = await migrator.rehearse({ lockTimeout: 100 })
    expect(performance.now() - started).toBeLessThan(5000)
    await reader.rollback()
    expect(states(rehearsal)).toEqual(['002_price failed'])
    expect(rehearsal.migrations[0]?.error?.sqlState).toBe('55P03')
    expect(rehearsal.warnings[0]).toContain('002_price did not get a lock within 100 ms')
  })

  test.each([
    ['nothing was migrated yet', []],
    ['this library has migrated', [items]],
  ])('keeps other runs out, where %s', async (_, applied) => {
    const { knex, connect } = database()
    const other = connect()
    const steps: string[] = []
    const pending = { name: '002_slow', up: 'create table slow ()' }
    let migrating: Promise<unknown> = Promise.resolve()
    const slow: TestMigration = {
      ...pending,
      up: async (trx) => {
        const all = source(...applied, pending)
        migrating = createMigrator(other, { migrationSource: all })
          .up()
          .then(() => steps.push('migrated'))
        await trx.raw('create table slow ()')
        await trx.raw('select pg_sleep(0.5)')
        steps.push('rehearsed')
      },
    }
    const migrator = await migratorOf(knex, applied, slow)
    expect(states(await migrator.rehearse())).toEqual(['002_slow rehearsed'])
    await migrating
    expect(steps).toEqual(['rehearsed', 'migrated'])
    expect(await knex.schema.hasTable('slow')).toBe(true)
  })

  test('keeps out stock Knex, where only that has migrated', async () => {
    const { knex, connect } = database()
    await knex.migrate.latest({ migrationSource: source(items) })
    const other = connect()
    const steps: string[] = []
    const pending = { name: '002_slow', up: 'create table slow ()' }
    let migrating: Promise<unknown> = Promise.resolve()
    const slow: TestMigration = {
      ...pending,
      up: async (trx) => {
        migrating = other.migrate.latest({ migrationSource: source(items, pending) }).then(() => steps.push('migrated'))
        await trx.raw('select pg_sleep(0.5)')
        steps.push('rehearsed')
      },
    }
    await createMigrator(knex, { migrationSource: source(items, slow) }).rehearse()
    await migrating
    expect(steps).toEqual(['rehearsed', 'migrated'])
  })

  test('waits for another run, but not longer than wait', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [items], { name: '002_b', up: 'create table b ()' })
    await knex('knex_migrations_lock').update({ is_locked: 1 })
    await expectError('MIGRATIONS_LOCKED', () => migrator.rehearse({ wait: 200 }))
    await knex.schema.dropTable('knex_migrations_runs')
    const error = await expectError('MIGRATIONS_LOCKED', () => migrator.rehearse({ wait: 200 }))
    expect(error.details).toEqual({ holder: null, milliseconds: 200 })
    expect(await knex.schema.hasTable('knex_migrations_runs')).toBe(false)
  })

  // CREATE INDEX CONCURRENTLY waits for a transaction that it met in the middle of a statement until it ends.
  test('waits for stock Knex without a transaction that stays open', async () => {
    const { knex, connect } = database()
    await knex.migrate.latest({ migrationSource: source(items) })
    await knex('knex_migrations_lock').update({ is_locked: 1 })
    const pending = { name: '002_b', up: 'create table b ()' }
    const events: string[] = []
    const waiting = createMigrator(connect(), { migrationSource: source(items, pending) }).rehearse({
      onEvent: ({ type }) => events.push(type),
    })
    try {
      await until(knex, () => Promise.resolve(events.includes('waiting')))
      await until(knex, async () => {
        const { rows } = await knex.raw(`
          select from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null`)
        return rows.length === 0
      })
    } finally {
      await knex('knex_migrations_lock').update({ is_locked: 0 })
    }
    expect(states(await waiting)).toEqual(['002_b rehearsed'])
  })

  test('stops at a signal, and leaves nothing', async () => {
    const { knex } = database()
    const stop = new AbortController()
    const migrator = await migratorOf(knex, [items], {
      name: '002_long',
      up: async (trx) => {
        await trx.raw(`insert into items (title) values ('x')`)
        const sleep = trx.raw('select pg_sleep(60)')
        const sleeping = sleep.then(() => undefined)
        stop.abort('SIGTERM')
        await sleeping
      },
    })
    const before = await everything(knex, 'items')
    const error = await expectError('MIGRATION_INTERRUPTED', () => migrator.rehearse({ signal: stop.signal }))
    expect(error.details).toEqual({ migration: '002_long', signal: 'SIGTERM', done: [], left: [] })
    expect(await everything(knex, 'items')).toEqual(before)
    expect((await migrator.rehearse({ only: '001' })).migrations).toEqual([])
  })

  testWithPgBouncer('works through PgBouncer in transaction mode, with a pool of one', async () => {
    const { knex, url, connect } = database()
    await migratorOf(knex, [items])
    const pooler = await startPgBouncer(url ?? '')
    try {
      const pooled = connect({ client: 'pg', connection: pooler.url, pool: { min: 0, max: 1 } })
      const migrator = await migratorOf(pooled, [items], {
        name: '002_b',
        up: `insert into items (title) values ('b')`,
      })
      const before = await everything(knex, 'items')
      const rehearsal = await migrator.rehearse()
      expect(states(rehearsal)).toEqual(['002_b rehearsed'])
      expect(rehearsal.migrations[0]?.statements[0]?.locks).not.toEqual([])
      expect(await everything(knex, 'items')).toEqual(before)
      await pooled.destroy()
    } finally {
      await pooler.stop()
    }
  })

  test('rehearses for two at once, one after the other', async () => {
    const { knex, connect } = database()
    const pending = { name: '002_b', up: `insert into items (title) values ('b'); select pg_sleep(0.1)` }
    const migrators = [await migratorOf(knex, [items], pending), await migratorOf(connect(), [items], pending)]
    const before = await everything(knex, 'items')
    const rehearsals = await Promise.all(migrators.map((migrator) => migrator.rehearse()))
    for (const rehearsal of rehearsals) {
      expect(states(rehearsal)).toEqual(['002_b rehearsed'])
      expect(rehearsal.warnings).toEqual([])
    }
    expect(await everything(knex, 'items')).toEqual(before)
  })
})
