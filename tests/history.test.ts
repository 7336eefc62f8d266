import { hostname } from 'node:os'

import type { Knex } from 'knex'

import { ensurePgvector } from '../src/index.ts'
import { createMigrator, type HistoryEntry, type Migrator } from '../src/migrator.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'

type Up = (knex: Knex) => Promise<unknown>

function migratorWith(knex: Knex, ...migrations: readonly (readonly [name: string, up: Up])[]): Migrator {
  const byName = new Map(migrations)
  return createMigrator(knex, { migrationSource: sourceOf(byName) })
}

function sourceOf(byName: ReadonlyMap<string, Up>): Knex.MigrationSource<string> {
  return {
    getMigrations: () => Promise.resolve([...byName.keys()]),
    getMigrationName: (name) => name,
    getMigration: (name) =>
      Promise.resolve({
        up: async (knex: Knex) => {
          await byName.get(name)?.(knex)
        },
        down: () => Promise.resolve(),
      }),
  }
}

const enable: readonly [string, Up] = ['001_enable', (knex) => ensurePgvector(knex, { logger: false })]
const table: readonly [string, Up] = ['002_table', (knex) => knex.raw('create table first (id int)')]
const broken: readonly [string, Up] = ['003_broken', (knex) => knex.raw('select 1/0')]

/** An entry in a few words, so that a whole history can be compared. */
function inWords(entry: HistoryEntry): string {
  if (entry.kind === 'run') return `run ${entry.run.id}: ${entry.run.command} ${entry.run.outcome ?? 'not ended'}`
  const by = entry.run === null ? '' : ` in run ${entry.run.id}`
  if (entry.kind === 'migration') {
    const why = entry.error === null ? '' : `: ${entry.error.sqlState} ${entry.error.message}`
    return `${entry.migration} ${entry.direction} ${entry.outcome} (batch ${entry.batch})${by}${why}`
  }
  return `${entry.event} ${entry.versionBefore ?? 'none'} to ${entry.versionAfter ?? 'none'} by ${entry.migration ?? 'hand'}${by}`
}

describeOnEveryDatabase('the history', (database) => {
  test('is empty where nothing is on record, and makes no table', async () => {
    const { knex } = database()
    expect(await migratorWith(knex, table).history()).toEqual([])
    expect(await knex.schema.hasTable('knex_migrations')).toBe(false)
  })

  test('tells runs, migrations and what they did to pgvector in the order of time', async () => {
    const { knex, pgvector } = database()
    await migratorWith(knex, enable, table).up()
    await expectError('MIGRATION_FAILED', () => migratorWith(knex, enable, table, broken).up())
    const migrator = migratorWith(knex, enable, table)
    await migrator.down()
    expect((await migrator.history()).map(inWords)).toEqual([
      'run 1: up succeeded',
      '001_enable up done (batch 1) in run 1',
      `enabled none to ${pgvector} by 001_enable in run 1`,
      '002_table up done (batch 1) in run 1',
      'run 2: up failed',
      '003_broken up failed (batch 2) in run 2: 22012 division by zero',
      'run 3: down succeeded',
      '002_table down done (batch 1) in run 3',
    ])
  })

  test('is in the order of the server, whose clock is ahead of what a process measured', async () => {
    const { knex, pgvector } = database()
    const names = ['001_first', '002_second', '003_third']
    const enabling = names.map((name): readonly [string, Up] => [
      name,
      async (trx) => {
        await trx.raw('drop extension if exists vector')
        await ensurePgvector(trx, { logger: false })
      },
    ])
    const migrator = migratorWith(knex, ...enabling)
    await migrator.up()
    // As if the answer that the run was noted had taken an hour.
    await knex.raw(`update knex_migrations_runs set started_at = started_at - interval '1 hour'`)
    expect((await migrator.history()).map(inWords)).toEqual([
      'run 1: up succeeded',
      ...names.flatMap((name) => [
        `${name} up done (batch 1) in run 1`,
        `enabled none to ${pgvector} by ${name} in run 1`,
      ]),
    ])
  })

  test('says who did it, from where, and how long it took', async () => {
    const { knex } = database()
    const migrator = migratorWith(knex, enable)
    await migrator.up()
    const [run, migration, extension] = await migrator.history()
    const { rows } = await knex.raw<{ rows: [{ role: string }] }>('select current_user as role')
    const [{ role }] = rows
    const by = { id: 1, command: 'up', host: hostname(), processId: process.pid, outcome: 'succeeded' }
    expect(run).toMatchObject({ kind: 'run', role, run: by, milliseconds: expect.any(Number) })
    expect(migration).toMatchObject({ kind: 'migration', role, run: by, migration: '001_enable', batch: 1 })
    expect(extension).toMatchObject({
      kind: 'extension',
      role,
      run: by,
      schema: 'public',
      milliseconds: expect.any(Number),
      details: { minVersion: '0.5.0' },
    })
    for (const { at } of [run, migration, extension] as HistoryEntry[]) {
      expect(Math.abs(Date.parse(at ?? '') - Date.now())).toBeLessThan(60_000)
    }
  })

  test('names what a failed run had done, what failed and why, and what it did not reach', async () => {
    const { knex } = database()
    const later: readonly [string, Up] = ['004_later', () => Promise.resolve()]
    const thrown: readonly [string, Up] = [
      '003_thrown',
      () => Promise.reject(new Error('no \u0000 model at http://me:secret@host/')),
    ]
    const migrator = migratorWith(knex, table, thrown, later)
    await expectError('MIGRATION_FAILED', () => migrator.up())
    const [run, first, second, ...others] = await migrator.history()
    expect(run).toMatchObject({ kind: 'run', error: null, left: ['004_later'] })
    expect(first).toMatchObject({ migration: '002_table', direction: 'up', outcome: 'done', error: null })
    expect(second).toMatchObject({
      migration: '003_thrown',
      outcome: 'failed',
      milliseconds: expect.any(Number),
      error: { code: null, sqlState: null, message: 'no  model at http://me:***@host/' },
    })
    expect(others).toEqual([])
  })

  test('keeps what was applied before, undone since, and applied again by stock Knex', async () => {
    const { knex } = database()
    const migrator = migratorWith(knex, table)
    await migrator.up()
    await migrator.down()
    await knex.raw('drop table first')
    await knex.migrate.latest({ migrationSource: sourceOf(new Map([table])) })
    expect((await migrator.history()).map(inWords)).toEqual([
      'run 1: up succeeded',
      '002_table up done (batch 1) in run 1',
      'run 2: down succeeded',
      '002_table down done (batch 1) in run 2',
      '002_table up done (batch 1)',
    ])
  })

  test('reads runs that were noted before there were notes, and gives their table a place for them', async () => {
    const { knex } = database()
    const migrator = migratorWith(knex, table)
    await migrator.up()
    await knex.raw('alter table knex_migrations_runs drop column notes')
    expect((await migrator.history()).map(inWords)).toEqual([
      'run 1: up succeeded',
      '002_table up done (batch 1) in run 1',
    ])
    await migrator.down()
    expect((await migrator.history()).map(inWords).slice(-2)).toEqual([
      'run 2: down succeeded',
      '002_table down done (batch 1) in run 2',
    ])
  })

  test('does not give a run what stock Knex and an application did', async () => {
    const { knex, pgvector } = database()
    await ensurePgvector(knex, { logger: false })
    await knex.migrate.latest({ migrationSource: sourceOf(new Map([table])) })
    expect((await migratorWith(knex, table).history()).map(inWords)).toEqual([
      `enabled none to ${pgvector} by hand`,
      '002_table up done (batch 1)',
    ])
  })

  test('finds a migration log of another name', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false, log: { table: 'our_log' } })
    const migrator = migratorWith(knex, table)
    expect(await migrator.history()).toEqual([])
    expect(await migrator.history({ log: { table: 'our_log' } })).toHaveLength(1)
    expect(await migrator.history({ log: { schema: 'public', table: 'our_log' } })).toHaveLength(1)
  })

  test('keeps its order where the connection has another time zone', async () => {
    const { knex } = database()
    const migrator = migratorWith(knex, enable, table)
    await migrator.up()
    const here = await migrator.history()
    await knex.raw(`set time zone 'Asia/Kathmandu'`)
    const there = await migrator.history()
    expect(there.map(({ at }) => Date.parse(at ?? ''))).toEqual(here.map(({ at }) => Date.parse(at ?? '')))
  })
})

describeOnServers('the history', (database) => {
  test('is open to a role that may only read', async () => {
    const { knex, connect, url } = database()
    await migratorWith(knex, enable, table).up()
    const role = `reader_${process.pid}_${Date.now()}`
    await knex.raw(`create role ${role} login password 'reads'; grant select on all tables in schema public to ${role}`)
    const as = new URL(url ?? '')
    as.username = role
    as.password = 'reads'
    const reader = connect({ connection: as.href })
    expect(await migratorWith(reader, enable, table).history()).toHaveLength(4)
    await reader.destroy()
    await knex.raw(`drop owned by ${role}; drop role ${role}`)
  })

  test('shows a run that is at work', async () => {
    const { knex, connect } = database()
    const watcher = migratorWith(connect(), table)
    const seen: string[] = []
    await migratorWith(knex, [
      '001_watched',
      async () => {
        seen.push(...(await watcher.history()).map(inWords))
      },
    ]).up()
    expect(seen).toEqual(['run 1: up not ended'])
  })

  test('shows why a run failed outside of its migrations', async () => {
    const hooks = { beforeAll: () => Promise.reject(new Error('no licence')) }
    const { connect } = database()
    const hooked = createMigrator(connect({ migrations: { migrationSource: sourceOf(new Map([table])), ...hooks } }))
    await expect(hooked.up()).rejects.toThrow('no licence')
    const [run, ...others] = await hooked.history()
    expect(run).toMatchObject({ error: { code: null, sqlState: null, message: 'no licence' }, left: ['002_table'] })
    expect(others).toEqual([])
  })

  test('goes without notes where the role may not change a table of runs that was made before', async () => {
    const { knex, connect, url } = database()
    await migratorWith(knex, table).up()
    const role = `migrates_${process.pid}_${Date.now()}`
    await knex.raw(`alter table knex_migrations_runs drop column notes;
      create role ${role} login password 'migrates';
      grant all on all tables in schema public to ${role}; grant all on all sequences in schema public to ${role}`)
    const as = new URL(url ?? '')
    as.username = role
    as.password = 'migrates'
    const second: readonly [string, Up] = ['003_second', () => Promise.resolve()]
    const migrator = migratorWith(connect({ connection: as.href }), table, second)
    await migrator.up()
    expect((await migrator.history()).map(inWords).slice(-2)).toEqual([
      'run 2: up succeeded',
      '003_second up done (batch 2) in run 2',
    ])
    await knex.raw(`drop owned by ${role}; drop role ${role}`)
  })

  test('gives the lock back where the database has no place for a character of the error', async () => {
    const { knex, connect, url } = database()
    const name = `latin_${process.pid}_${Date.now()}`
    await knex.raw(`create database ${name} encoding latin1 lc_collate 'C' lc_ctype 'C' template template0`)
    const there = new URL(url ?? '')
    there.pathname = `/${name}`
    const latin = connect({ connection: there.href })
    const thrown: readonly [string, Up] = ['003_thrown', () => Promise.reject(new Error('→ no'))]
    await expectError('MIGRATION_FAILED', () => migratorWith(latin, thrown).up())
    expect(await latin('knex_migrations_lock').pluck('is_locked')).toEqual([0])
    expect((await migratorWith(latin, thrown).history()).map(inWords)).toEqual(['run 1: up failed'])
    await latin.destroy()
    await knex.raw(`drop database ${name} with (force)`)
  })
})
