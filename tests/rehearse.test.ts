import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'

import type { Knex } from 'knex'

import { createMigrator, ensurePgvector, type Migrator, type Rehearsal, type TakenLock } from '../src/index.ts'
import { correctionFor, type UsedSequence } from '../src/runner/rehearse-sequences.ts'
import { refuseToEndTransaction } from '../src/runner/rehearse-guard.ts'
import { catalogOf, rowsOf } from './support/catalog.ts'
import { runCli } from './support/cli.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { removeTemporaryFolders, temporaryFolder } from './support/temporary.ts'

type Step = string | ((knex: Knex) => Promise<unknown>)

interface TestMigration {
  readonly name: string
  readonly up: Step
  readonly down?: Step
  readonly transaction?: boolean
}

/** Migrations in memory, so that a test says what they do. */
function source(...migrations: readonly TestMigration[]): Knex.MigrationSource<TestMigration> {
  const run = async (step: Step, knex: Knex): Promise<void> => {
    await (typeof step === 'string' ? knex.raw(step) : step(knex))
  }
  return {
    getMigrations: () => Promise.resolve([...migrations]),
    getMigrationName: ({ name }) => name,
    getMigration: ({ up, down = 'select 1', transaction }) =>
      Promise.resolve({
        up: (knex: Knex) => run(up, knex),
        down: (knex: Knex) => run(down, knex),
        ...(transaction === undefined ? {} : { config: { transaction } }),
      }),
  }
}

/** A migrator that has applied the first of these, and has the others to do. */
async function migratorOf(
  knex: Knex,
  applied: readonly TestMigration[],
  ...pending: readonly TestMigration[]
): Promise<Migrator> {
  if (applied.length > 0) await createMigrator(knex, { migrationSource: source(...applied) }).up()
  return createMigrator(knex, { migrationSource: source(...applied, ...pending) })
}

const items: TestMigration = {
  name: '001_items',
  up: `create table items (id serial primary key, title text); insert into items (title) values ('a'), ('b')`,
}

const states = ({ migrations }: Rehearsal): string[] => migrations.map(({ name, state }) => `${name} ${state}`)

const locksOf = ({ migrations }: Rehearsal): TakenLock[] =>
  migrations.flatMap(({ statements }) => statements.flatMap(({ locks }) => locks))

/** Everything that must be the same after a rehearsal: the catalog, the rows of a table, the sequences. */
async function everything(knex: Knex, ...tables: readonly string[]): Promise<unknown> {
  const sequences = await knex.raw(`select schemaname, sequencename, last_value from pg_sequences
    where sequencename <> 'knex_migrations_runs_id_seq' order by 1, 2`)
  const oids = await knex.raw(`select relname, oid, relfilenode from pg_class c
    where relnamespace in (select oid from pg_namespace where nspname !~ '^pg_') order by 1, 2`)
  const rows = await Promise.all(tables.map((table) => rowsOf(knex, table)))
  return { catalog: await catalogOf(knex), sequences: sequences.rows, oids: oids.rows, rows }
}

describeOnEveryDatabase('rehearse', (database) => {
  test('executes what is pending, each seeing the one before, and leaves nothing of it', async () => {
    const { knex } = database()
    const migrator = await migratorOf(
      knex,
      [items],
      { name: '002_price', up: 'alter table items add column price int' },
      { name: '003_prices', up: (trx) => trx('items').update({ price: 3 }) },
    )
    const before = await everything(knex, 'items', 'knex_migrations')
    const rehearsal = await migrator.rehearse()
    expect(states(rehearsal)).toEqual(['002_price rehearsed', '003_prices rehearsed'])
    expect(rehearsal.warnings).toEqual([])
    expect(rehearsal.migrations[1]?.statements).toMatchObject([{ sql: 'update "items" set "price" = $1', rows: 2 }])
    expect(await everything(knex, 'items', 'knex_migrations')).toEqual(before)
    expect((await migrator.up()).migrations).toHaveLength(2)
  })

  test('leaves no table in a database where nothing was ever migrated', async () => {
    const { knex } = database()
    const before = await everything(knex)
    const migrator = await migratorOf(knex, [], items)
    expect(states(await migrator.rehearse())).toEqual(['001_items rehearsed'])
    expect(await everything(knex)).toEqual(before)
    const { rows } = await knex.raw(`select relname from pg_class where relname ~ 'knex'`)
    expect(rows).toEqual([])
  })

  test('leaves no trace in a database that only stock Knex migrated', async () => {
    const { knex } = database()
    await knex.migrate.latest({ migrationSource: source(items) })
    const before = await everything(knex, 'items', 'knex_migrations', 'knex_migrations_lock')
    const migrator = createMigrator(knex, {
      migrationSource: source(items, { name: '002_b', up: 'create table b ()' }),
    })
    expect(states(await migrator.rehearse())).toEqual(['002_b rehearsed'])
    expect(await everything(knex, 'items', 'knex_migrations', 'knex_migrations_lock')).toEqual(before)
  })

  test('tells the locks of each statement, and which of them block others', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [items], {
      name: '002_change',
      up: async (trx) => {
        await trx.raw('create schema "My things"')
        await trx.raw('create table "My things"."new ones" (id int)')
        await trx.raw('select count(*) from items')
        await trx.raw('create index items_title on items (title)')
        await trx.raw('alter table items add column price int')
        await trx.raw('drop table items')
      },
    })
    const { migrations } = await migrator.rehearse()
    const locks = migrations[0]?.statements.map((statement) => statement.locks) ?? []
    expect(locks[0]).toEqual([])
    expect(locks[1]).toEqual([
      {
        relation: '"My things"."new ones"',
        kind: 'table',
        mode: 'AccessExclusiveLock',
        isNew: true,
        blocks: 'nothing',
      },
    ])
    const ofItems = locks.map((each) => each.filter(({ relation }) => relation === 'public.items'))
    expect(ofItems.map((each) => each.map(({ mode, blocks }) => `${mode}: ${blocks}`))).toEqual([
      [],
      [],
      ['AccessShareLock: nothing'],
      ['ShareLock: writes'],
      ['AccessExclusiveLock: reads and writes'],
      [],
    ])
    // What was dropped still has its name.
    expect(locks[5]?.map(({ relation, mode }) => `${relation} ${mode}`)).toEqual(
      expect.arrayContaining(['public.items_id_seq AccessExclusiveLock', 'public.items_pkey AccessExclusiveLock']),
    )
  })

  test('tells each statement with its time and rows, and nothing that it asks or sends itself', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [items], {
      name: '002_fill',
      up: async (trx) => {
        await Promise.all([trx.raw('select pg_sleep(0.2)'), trx('items').insert([{ title: 'c' }, { title: 'd' }])])
        await trx.transaction((savepoint) => savepoint('items').where({ title: 'c' }).delete())
        await trx.raw('create table more (); create table most ()')
      },
    })
    const [migration] = (await migrator.rehearse()).migrations
    expect(migration?.statements.map(({ sql, rows }) => [sql, rows])).toEqual([
      ['select pg_sleep(0.2)', 1],
      ['insert into "items" ("title") values ($1), ($2)', 2],
      ['delete from "items" where "title" = $1', 1],
      ['create table more (); create table most ()', null],
    ])
    const [sleep, insert] = migration?.statements ?? []
    expect(sleep?.milliseconds).toBeGreaterThan(190)
    expect(insert?.milliseconds).toBeLessThan(190)
    expect(sleep?.locks).toEqual([])
    expect(insert?.locks.map(({ relation }) => relation)).toContain('public.items')
    expect(migration?.milliseconds).toBeGreaterThan(190)
  })

  test('shows of ensurePgvector what it changes, and nothing of what it looks at', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [], {
      name: '001_vectors',
      up: async (trx) => {
        await ensurePgvector(trx, { logger: false })
        await trx.raw('create table entries (embedding vector(3))')
      },
    })
    const [migration] = (await migrator.rehearse()).migrations
    expect(migration?.state).toBe('rehearsed')
    const verbs = migration?.statements.map(({ sql }) => sql.trim().split(/\s+/).slice(0, 2).join(' '))
    expect(verbs).toEqual(['create extension', 'create table', 'create table'])
    expect(migration?.statements[0]?.sql).not.toContain('as state')
    const { rows } = await knex.raw(`select from pg_extension where extname = 'vector'`)
    expect(rows).toEqual([])
  })

  test('names what runs outside a transaction, and tries the others without it', async () => {
    const { knex } = database()
    const migrator = await migratorOf(
      knex,
      [items],
      { name: '002_index', up: 'create index concurrently items_title on items (title)', transaction: false },
      { name: '003_table', up: 'create table three ()' },
      { name: '004_cluster', up: 'alter index items_title rename to titles' },
      { name: '005_last', up: 'create table five ()' },
    )
    const rehearsal = await migrator.rehearse()
    expect(states(rehearsal)).toEqual([
      '002_index not-rehearsed',
      '003_table rehearsed',
      '004_cluster failed',
      '005_last not-rehearsed',
    ])
    expect(rehearsal.migrations.map(({ reason }) => reason)).toEqual([
      'no-transaction',
      undefined,
      undefined,
      'not-reached',
    ])
    expect(rehearsal.warnings).toEqual([
      '002_index runs outside a transaction, so it was not rehearsed; what comes after it was tried without it.',
      '004_cluster may have failed only because 002_index could not be rehearsed before it.',
    ])
  })

  test('reports the statement that failed with the error of the server, and rolls all of it back', async () => {
    const { knex } = database()
    const before = await everything(knex)
    const migrator = await migratorOf(
      knex,
      [],
      items,
      {
        name: '002_broken',
        up: async (trx) => {
          await trx.raw('create table broken ()')
          await trx.raw('select 1 / (id - 1) from items')
        },
      },
      { name: '003_never', up: 'create table never ()' },
    )
    const rehearsal = await migrator.rehearse()
    expect(states(rehearsal)).toEqual(['001_items rehearsed', '002_broken failed', '003_never not-rehearsed'])
    const { error, statements } = rehearsal.migrations[1] ?? {}
    expect(error).toMatchObject({ code: 'MIGRATION_FAILED', sqlState: '22012' })
    expect(error?.details).toMatchObject({ migration: '002_broken', done: [], left: ['003_never'] })
    expect(statements?.map(({ sql, error: said }) => [sql, said])).toEqual([
      ['create table broken ()', undefined],
      ['select 1 / (id - 1) from items', expect.stringContaining('division by zero')],
    ])
    expect(await everything(knex)).toEqual(before)
  })

  test('finds what only the commit would find: a deferred constraint that does not hold', async () => {
    const { knex } = database()
    const migrator = await migratorOf(
      knex,
      [],
      {
        name: '001_tree',
        up: 'create table tree (id int primary key, parent int references tree deferrable initially deferred)',
      },
      { name: '002_right', up: 'insert into tree values (1, 2); insert into tree values (2, 1)' },
      { name: '003_column', up: 'alter table tree add column name text' },
      { name: '004_wrong', up: 'insert into tree values (3, 4)' },
    )
    const rehearsal = await migrator.rehearse()
    expect(states(rehearsal)).toEqual([
      '001_tree rehearsed',
      '002_right rehearsed',
      '003_column rehearsed',
      '004_wrong failed',
    ])
    expect(rehearsal.migrations[3]?.error?.sqlState).toBe('23503')
  })

  test('goes on after an error that the migration itself has dealt with', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [items], {
      name: '002_careful',
      up: async (trx) => {
        await trx.transaction((savepoint) => savepoint.raw('drop table absent')).catch(() => undefined)
        await trx.raw('create table careful ()')
      },
    })
    expect(states(await migrator.rehearse())).toEqual(['002_careful rehearsed'])
  })

  test.each([
    'commit',
    'insert into items default values; COMMIT; create table kept ()',
    'rollback; create table kept ()',
  ])('refuses a migration that ends its transaction itself: %s', async (statement) => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [items], {
      name: '002_commits',
      up: async (trx) => {
        await trx.raw(`insert into items (title) values ('kept')`)
        await trx.raw(statement)
      },
    })
    const before = await everything(knex, 'items')
    const { migrations } = await migrator.rehearse()
    expect(migrations[0]?.error?.cause).toMatchObject({
      code: 'INVALID_MIGRATION',
      message: expect.stringContaining('it ends its transaction itself') as string,
    })
    expect(await everything(knex, 'items')).toEqual(before)
  })

  test('puts the sequences that it used back where they stood', async () => {
    const { knex } = database()
    const migrator = await migratorOf(
      knex,
      [
        items,
        {
          name: '002_sequences',
          up: `create table fresh (id int generated always as identity); create sequence "Down?" increment -2`.replace(
            '?',
            '\\?',
          ),
        },
      ],
      {
        name: '003_rows',
        up: async (trx) => {
          await trx.raw(`insert into items (title) select 'x' from generate_series(1, 100)`)
          await trx.raw('insert into fresh default values')
          await trx
            .transaction((savepoint) => savepoint.raw(`select nextval('"Down\\?"'); select 1 / 0`))
            .catch(() => undefined)
        },
      },
      { name: '004_fails', up: `insert into items (title) values ('y'); select 1 / 0` },
    )
    const before = await everything(knex)
    const rehearsal = await migrator.rehearse()
    expect(states(rehearsal)).toEqual(['003_rows rehearsed', '004_fails failed'])
    expect(rehearsal.warnings).toEqual([])
    expect(await everything(knex)).toEqual(before)
    const { rows } = await knex.raw(`insert into fresh default values returning id`)
    expect(rows).toEqual([{ id: 1 }])
  })

  test('puts a sequence forward again that a migration sets back', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [items], {
      name: '002_reset',
      up: `delete from items; select setval('items_id_seq', 1, false)`,
    })
    const { warnings } = await migrator.rehearse()
    expect(warnings).toEqual([
      'A migration sets the sequence public.items_id_seq back, which no rollback undoes; it was put to 2 again.',
    ])
    await knex('items').insert({ title: 'next' })
    expect(await knex('items').orderBy('id').pluck('id')).toEqual([1, 2, 3])
  })

  test('leaves a sequence whose values may be in other hands, and says that there is a gap', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [{ name: '001_cached', up: 'create sequence cached cache 10' }], {
      name: '002_draw',
      up: `select nextval('cached')`,
    })
    expect((await migrator.rehearse()).warnings).toEqual([
      'The sequence public.cached went from its start to 10, which no rollback undoes: its next values leave a gap.',
    ])
  })

  test('takes the selection of up, and does nothing where nothing is pending', async () => {
    const { knex } = database()
    const pending = ['002_b', '003_c', '004_d'].map((name) => ({ name, up: `create table t${name} ()` }))
    const migrator = await migratorOf(knex, [items], ...pending)
    expect(states(await migrator.rehearse({ to: '3' }))).toEqual(['002_b rehearsed', '003_c rehearsed'])
    expect(states(await migrator.rehearse({ only: '3' }))).toEqual(['003_c rehearsed'])
    expect(states(await migrator.rehearse({ skip: ['2', '003'] }))).toEqual(['004_d rehearsed'])
    await migrator.up()
    expect(await migrator.rehearse()).toEqual({ migrations: [], warnings: [] })
    const commands = await knex('knex_migrations_runs').pluck('command')
    expect(commands).toEqual(['up', 'rehearse', 'rehearse', 'rehearse', 'up'])
  })

  test('refuses a lock timeout that is none', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [], items)
    const error = await expectError('INVALID_OPTIONS', () => migrator.rehearse({ lockTimeout: 0 }))
    expect(error.details.problems).toEqual(['lockTimeout: must be at least 1'])
  })

  test('calls the hooks that a run calls in its transaction, and not the one for afterwards', async () => {
    const { knex } = database()
    const called: string[] = []
    const hook = (name: string) => async (trx: Knex) => {
      called.push(name)
      await trx.raw(`create table ${name} ()`)
    }
    const hooks = {
      beforeAll: hook('before_all'),
      beforeEach: hook('before_each'),
      afterEach: hook('after_each'),
      afterAll: hook('after_all'),
    }
    Object.assign((knex.client as { config: Knex.Config }).config, { migrations: hooks })
    const migrator = await migratorOf(knex, [], items)
    expect(states(await migrator.rehearse())).toEqual(['001_items rehearsed'])
    expect(called).toEqual(['before_all', 'before_each', 'after_each'])
    expect(await knex.schema.hasTable('before_all')).toBe(false)
  })
})

describeOnServers('rehearse beside others', (database) => {
  test('does not wait longer for a lock than it was told, and says who stood in the way', async () => {
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

  test('keeps a sequence from which others have drawn meanwhile', async () => {
    const { knex, connect } = database()
    const other = connect()
    const migrator = await migratorOf(knex, [items], {
      name: '002_rows',
      up: async (trx) => {
        await trx.raw(`insert into items (title) values ('rehearsed')`)
        await other.raw(`insert into items (title) values ('real')`)
        await trx.raw(`insert into items (title) values ('rehearsed')`)
      },
    })
    const { warnings } = await migrator.rehearse()
    expect(warnings).toEqual([
      'The sequence public.items_id_seq went from 2 to 5, which no rollback undoes: its next values leave a gap.',
    ])
    await knex('items').insert({ title: 'next' })
    expect(await knex('items').orderBy('id').pluck('id')).toEqual([1, 2, 4, 6])
  })

  test('keeps a sequence from which others draw in an open transaction', async () => {
    const { knex, connect } = database()
    const other = await connect().transaction()
    const migrator = await migratorOf(knex, [items], {
      name: '002_rows',
      up: async (trx) => {
        await trx.raw(`insert into items (title) values ('rehearsed')`)
        await other.raw(`insert into items (title) values ('real')`)
      },
    })
    const { warnings } = await migrator.rehearse({ lockTimeout: 100 })
    await other.commit()
    expect(warnings).toHaveLength(1)
    expect(await knex('items').orderBy('id').pluck('id')).toEqual([1, 2, 4])
  })

  test.each([
    ['nothing was migrated yet', []],
    ['this library has migrated', [items]],
  ])('keeps out whoever wants to migrate, where %s', async (_, applied) => {
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

  test('waits for a run and no longer than it was told', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [items], { name: '002_b', up: 'create table b ()' })
    await knex('knex_migrations_lock').update({ is_locked: 1 })
    await expectError('MIGRATIONS_LOCKED', () => migrator.rehearse({ wait: 200 }))
    await knex.schema.dropTable('knex_migrations_runs')
    const error = await expectError('MIGRATIONS_LOCKED', () => migrator.rehearse({ wait: 200 }))
    expect(error.details).toEqual({ holder: null, milliseconds: 200 })
    expect(await knex.schema.hasTable('knex_migrations_runs')).toBe(false)
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
    expect(error.details).toEqual({ migration: '002_long', signal: 'SIGTERM' })
    expect(await everything(knex, 'items')).toEqual(before)
    expect((await migrator.rehearse({ only: '001' })).migrations).toEqual([])
  })
})

describe('a sequence after a rehearsal', () => {
  const used = (last: string | null, left: string | null, looks: number, step = '1', cache = '1'): UsedSequence => ({
    before: { oid: 1, name: 'public.s', last, start: '1', step, cache, cycles: false },
    left,
    looks,
  })

  test.each([
    ['was only looked at', used('7', '7', 1), '7', 'none'],
    ['gave its values to the rehearsal alone', used('7', '10', 3), '10', 'rewind'],
    ['gave its first values to the rehearsal alone', used(null, '3', 3), '3', 'rewind'],
    ['counts down', used('7', '1', 3, '-2'), '1', 'rewind'],
    ['is beyond what JavaScript counts', used('9007199254740993', '9007199254740994', 1), '9007199254740994', 'rewind'],
    ['gave a value to somebody else too', used('7', '11', 3), '11', 'leave'],
    ['gave a value to somebody else afterwards', used('7', '10', 3), '11', 'leave'],
    ['keeps values ahead', used('10', '20', 1, '1', '10'), '20', 'leave'],
    ['was set forward', used('7', '100', 1), '100', 'leave'],
    ['was set back', used('7', '2', 1), '2', 'advance'],
    ['counts down and was set back', used('7', '9', 1, '-1'), '9', 'advance'],
  ] as const)('that %s', (_, sequence, current, correction) => {
    expect(correctionFor(sequence, current)).toBe(correction)
  })
})

describe('a statement of a rehearsal', () => {
  test.each([
    'COMMIT',
    'begin; create table a (); end;',
    'select 1; -- done\n commit and chain',
    'rollback',
    '/* so */ ABORT',
    "prepare transaction 'x'",
    `insert into a values (E'\\'; '); commit`,
    `do $x$ begin end $x$; commit`,
  ])('is refused where it ends the transaction: %s', (sql) => {
    expect(() => refuseToEndTransaction(sql, '001')).toThrow('it ends its transaction itself')
  })

  test.each([
    'rollback to savepoint a',
    'ROLLBACK WORK TO a',
    "comment on table a is 'x; commit'",
    'create table "a; commit" ()',
    'do $$ begin perform 1; end; $$',
    'create function f() returns int language sql begin atomic select 1; end',
    'update a set b = case when c then 1 end',
    '-- commit;\nselect 1',
    'insert into commits values (1); select 1',
  ])('passes where it does not: %s', (sql) => {
    expect(() => refuseToEndTransaction(sql, '001')).not.toThrow()
  })
})

describeOnServers('npx knex-pgvector rehearse', (database) => {
  afterEach(removeTemporaryFolders)

  /** A project with these migrations, of which nothing is applied. */
  async function project(
    migrations: Readonly<Record<string, string>>,
  ): Promise<{ cwd: string; env: Record<string, string> }> {
    const cwd = await temporaryFolder()
    await mkdir(join(cwd, 'migrations'))
    const knexfile = `module.exports = { client: 'pg', connection: process.env.DATABASE_URL }`
    await writeFile(join(cwd, 'knexfile.js'), knexfile)
    for (const [name, up] of Object.entries(migrations)) {
      await writeFile(join(cwd, 'migrations', name), `exports.up = async (knex) => { ${up} }; exports.down = () => {}`)
    }
    return { cwd, env: { DATABASE_URL: database().url ?? '', NODE_PATH: resolve('node_modules') } }
  }

  test('shows a table for each migration, marks what blocks others, and exits with 0', async () => {
    await database().knex.raw('create table old (id int)')
    const place = await project({
      '001_a.js': `await knex.raw('create table a (id int)'); console.log('made a')`,
      '002_b.js': `await knex.raw('alter table old add column b text')`,
    })
    const { code, stdout, stderr } = await runCli(['rehearse'], place)
    expect(stdout).toBe('')
    expect(stderr).toContain('made a')
    expect(code).toBe(0)
  })

  test('exits with 2 where a migration fails, and shows the error of the server', async () => {
    const place = await project({
      '001_a.js': `await knex.raw('create table a (id int)')`,
      '002_b.js': `await knex.raw('select wrong from a')`,
    })
    const { code, stdout, stderr } = await runCli(['rehearse'], place)
    expect(stdout).toContain('✓ 001_a.js')
    expect(stdout).toContain('✗ 002_b.js: failed')
    expect(stderr).toContain('column "wrong" does not exist')
    expect(code).toBe(2)
    expect(await database().knex.schema.hasTable('a')).toBe(false)
  })

  test('prints one JSON document with --json, with the whole SQL and without passwords', async () => {
    const long = `create table a (${Array.from({ length: 40 }, (_, index) => `column_${index} int`).join(', ')})`
    const place = await project({
      '001_a.js': `console.log('made a'); await knex.raw(${JSON.stringify(long)}); await knex.raw("set local myapp.password = 'hush'")`,
      '002_b.js': `await knex.raw('select wrong from a')`,
    })
    const { code, stdout } = await runCli(['rehearse', '--json', '--lock-timeout', '500ms'], place)
    const document = JSON.parse(stdout) as { migrations: { statements: { sql: string }[]; error?: unknown }[] }
    expect(document.migrations[0]?.statements[0]?.sql).toBe(long)
    expect(document.migrations[1]?.error).toMatchObject({ code: 'MIGRATION_FAILED', sqlState: '42703' })
    expect(stdout).not.toContain('hush')
    expect(code).toBe(2)
  })

  test('exits with 130 at SIGINT', async () => {
    const place = await project({ '001_a.js': `await knex.raw('select pg_sleep(60)')` })
    const { code, stderr } = await runCli(['rehearse'], {
      ...place,
      onStart: (child) =>
        child.stderr?.on('data', (text: Buffer) => {
          if (text.toString().includes('001_a.js up')) child.kill('SIGINT')
        }),
    })
    expect(stderr).toContain('Interrupted by SIGINT')
    expect(code).toBe(130)
  })
})
