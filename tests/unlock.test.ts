import { hostname } from 'node:os'

import type { Knex } from 'knex'

import { createMigrator } from '../src/migrator.ts'
import { describeEmbedded, describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'

/** A source of one migration that does what it is given. */
function source(up: (knex: Knex) => Promise<unknown>): Knex.MigrationSource<string> {
  return {
    getMigrations: () => Promise.resolve(['001_only']),
    getMigrationName: (name) => name,
    getMigration: () =>
      Promise.resolve({
        up: async (knex: Knex) => {
          await up(knex)
        },
        down: () => Promise.resolve(),
      }),
  }
}

const nothing = source(() => Promise.resolve())

/** What the table says of Knex's lock. */
async function isLocked(knex: Knex): Promise<boolean> {
  return (await knex('knex_migrations_lock').pluck('is_locked')).includes(1)
}

/** Leaves things as a run does that was killed: its note, and Knex's lock in the same transaction. */
async function leaveDeadRun(knex: Knex): Promise<void> {
  await createMigrator(knex, { migrationSource: nothing }).up()
  await knex.raw(`
    with taken as (update knex_migrations_lock set is_locked = 1)
    insert into knex_migrations_runs (command, host, process_id, operating_system_user, lock_xmin)
    values ('up', 'gone.example', 4711, 'deploy', (txid_current() % 4294967296)::text)`)
}

describeOnEveryDatabase('unlock', (database) => {
  test('says that nothing is locked, and makes no table', async () => {
    const { knex } = database()
    const migrator = createMigrator(knex, { migrationSource: nothing })
    expect(await migrator.unlock()).toEqual({ status: 'free', holder: null, isHolderAlive: false })
    expect(await knex.schema.hasTable('knex_migrations_lock')).toBe(false)
    await migrator.up()
    expect(await migrator.unlock({ force: true })).toMatchObject({ status: 'free' })
  })

  test('frees what a dead run left behind, says whose it was, and notes who freed it', async () => {
    const { knex } = database()
    await leaveDeadRun(knex)
    const result = await createMigrator(knex, { migrationSource: nothing }).unlock()
    expect(result).toMatchObject({ status: 'freed', isHolderAlive: false })
    expect(result.holder).toMatchObject({ host: 'gone.example', processId: 4711, user: 'deploy', command: 'up' })
    expect(await isLocked(knex)).toBe(false)
    expect(await knex('knex_migrations_runs').orderBy('id').select('command', 'outcome')).toEqual([
      { command: 'up', outcome: 'succeeded' },
      { command: 'up', outcome: 'died' },
      { command: 'unlock', outcome: 'succeeded' },
    ])
  })
})

describeOnServers('unlock', (database) => {
  test('refuses to free what stock Knex has locked, unless it is forced', async () => {
    const { knex } = database()
    await knex.migrate.latest({ migrationSource: nothing })
    await knex('knex_migrations_lock').update({ is_locked: 1 })
    const migrator = createMigrator(knex, { migrationSource: nothing })
    const error = await expectError('UNLOCK_REFUSED', () => migrator.unlock())
    expect(error.details).toEqual({ holder: null })
    expect(error.hint).toMatch(/unlock --force/)
    expect(await isLocked(knex)).toBe(true)
    expect(await migrator.unlock({ force: true })).toEqual({ status: 'freed', holder: null, isHolderAlive: false })
    expect(await isLocked(knex)).toBe(false)
  })

  test('takes a lock for foreign where stock Knex has set it again after a run died', async () => {
    const { knex } = database()
    await leaveDeadRun(knex)
    await knex('knex_migrations_lock').update({ is_locked: 0 })
    await knex('knex_migrations_lock').update({ is_locked: 1 })
    const migrator = createMigrator(knex, { migrationSource: nothing })
    expect((await expectError('UNLOCK_REFUSED', () => migrator.unlock())).details.holder).toBeNull()
  })

  test('names a running migration and leaves its lock', async () => {
    const { knex, connect } = database()
    const other = createMigrator(connect(), { migrationSource: nothing })
    const asked = source(async () => {
      const { details, message } = await expectError('UNLOCK_REFUSED', () => other.unlock())
      expect(details.holder).toMatchObject({ host: hostname(), processId: process.pid, command: 'up' })
      expect(message).toMatch(/it is still working$/)
      expect(await isLocked(knex)).toBe(true)
    })
    const { migrations } = await createMigrator(knex, { migrationSource: asked }).up()
    expect(migrations).toHaveLength(1)
  })

  test("frees Knex's lock of a running migration if forced; the run continues and keeps ours out", async () => {
    const { knex, connect } = database()
    const other = createMigrator(connect(), { migrationSource: nothing })
    const forced = source(async () => {
      const result = await other.unlock({ force: true })
      expect(result).toMatchObject({ status: 'freed', isHolderAlive: true, holder: { processId: process.pid } })
      expect(await isLocked(knex)).toBe(false)
      await expectError('MIGRATIONS_LOCKED', () => other.up({ wait: 0 }))
    })
    const { migrations } = await createMigrator(knex, { migrationSource: forced }).up()
    expect(migrations).toHaveLength(1)
    expect((await other.status()).map(({ state }) => state)).toEqual(['applied'])
  })
})

describeEmbedded('unlock', (database) => {
  test('frees any lock, because no other process can use it', async () => {
    const { knex } = database()
    await knex.migrate.latest({ migrationSource: nothing })
    await knex('knex_migrations_lock').update({ is_locked: 1 })
    const result = await createMigrator(knex, { migrationSource: nothing }).unlock()
    expect(result).toEqual({ status: 'freed', holder: null, isHolderAlive: false })
    expect(await isLocked(knex)).toBe(false)
  })
})
