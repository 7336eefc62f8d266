import { randomBytes } from 'node:crypto'

import type { Knex } from 'knex'

import { addVectorColumn, dropPgvector, dropVectorColumn, ensurePgvector, vectorColumn } from '../src/index.ts'
import { diagnose } from '../src/doctor.ts'
import { createMigrator, type Migrator } from '../src/migrator.ts'
import { distrustOf, type TableFacts } from '../src/database/table-trust.ts'
import { describeOnServers, type TestDatabase } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { recordingLogger, statementsOf } from './support/recorder.ts'
import { source } from './support/steps.ts'

const silent = { logger: false } as const
const applied = { name: '001', up: 'create table made ()', down: 'drop table made' }
const pending = { name: '002', up: 'create table more ()', down: 'drop table more' }
const migratorFor = (knex: Knex): Migrator => createMigrator(knex, { migrationSource: source(applied, pending) })

/** What the code of another role would do, if it ran: it advances a sequence, which no rollback takes back. */
const evil = `
  create sequence sprung;
  grant all on sequence sprung to public;
  create function evil() returns trigger language plpgsql as $$
    begin perform nextval('public.sprung'); return coalesce(new, old); end $$;
  create function evil_text() returns text language plpgsql volatile as $$
    begin perform nextval('public.sprung'); return 'x'; end $$;
  create function evil_check(text) returns boolean language plpgsql immutable as $$
    begin perform nextval('public.sprung'); return true; end $$;`

/** A role that may create objects in public, and nothing else. */
async function withMallory({ knex }: TestDatabase, run: (mallory: string, as: As) => Promise<void>): Promise<void> {
  const mallory = `mallory_${randomBytes(4).toString('hex')}`
  await knex.raw(`create role ${mallory}; grant create, usage on schema public to ${mallory}`)
  const as: As = async (sql) => {
    await knex.transaction(async (trx) => {
      await trx.raw(`set local role ${mallory}`)
      await trx.raw(sql)
    })
  }
  try {
    await run(mallory, as)
  } finally {
    await knex.raw(`drop owned by ${mallory} cascade; drop role ${mallory}`)
  }
}

type As = (sql: string) => Promise<void>

async function isSprung(knex: Knex): Promise<boolean> {
  const { rows } = await knex.raw<{ rows: [{ is_called: boolean }] }>('select is_called from sprung')
  return rows[0].is_called
}

const knexTables = `
  create table knex_migrations (id serial primary key, name varchar(255), batch integer, migration_time timestamptz);
  create table knex_migrations_lock (index serial primary key, is_locked integer);
  insert into knex_migrations_lock (is_locked) values (0);`

const deciding: Readonly<Record<string, (migrator: Migrator) => Promise<unknown>>> = {
  up: (migrator) => migrator.up(),
  down: (migrator) => migrator.down(),
  preview: (migrator) => migrator.preview('up'),
  rehearse: (migrator) => migrator.rehearse(),
  losses: (migrator) => migrator.losses(),
  plan: (migrator) => migrator.plan(),
  adopt: (migrator) => migrator.adopt(),
  unlock: (migrator) => migrator.unlock({ force: true }),
}

describeOnServers('tables of the migrations that another role made beforehand', (database) => {
  test.each(Object.keys(deciding))('stop %s', async (name) => {
    const { knex, url } = database()
    const superuser = new URL(url ?? '').username
    await withMallory(database(), async (mallory, as) => {
      await as(`${evil} ${knexTables}
        update knex_migrations_lock set is_locked = 1;
        insert into knex_migrations (name, batch) values ('001', 1);
        create trigger t before insert or update or delete on knex_migrations_lock for each row execute function evil()`)
      const error = await expectError(
        'TABLE_NOT_TRUSTED',
        () => deciding[name]?.(migratorFor(knex)) ?? Promise.resolve(),
      )
      expect(error.message).toContain(`belongs to the role ${mallory}`)
      expect(error.hint).toMatch(/ALTER TABLE public\.knex_migrations(_lock)? OWNER TO /)
      expect(error.hint).toContain(` OWNER TO "${superuser}";`)
      expect(await isSprung(knex)).toBe(false)
    })
  })

  test.each(['knex_migrations', 'knex_migrations_lock'])('stop a first run where only %s is there', async (table) => {
    const { knex } = database()
    await withMallory(database(), async (_mallory, as) => {
      await as(`${evil} create table ${table} (id serial, index serial, is_locked integer, name text, batch integer);
          create trigger t before insert on ${table} for each statement execute function evil()`)
      const { details } = await expectError('TABLE_NOT_TRUSTED', () => migratorFor(knex).up())
      expect(details.table).toBe(`public.${table}`)
      expect(await isSprung(knex)).toBe(false)
      expect(await knex.schema.hasTable('made')).toBe(false)
    })
  })

  test('are shown by status and history with a warning', async () => {
    const { knex } = database()
    await withMallory(database(), async (mallory, as) => {
      await as(`${knexTables} insert into knex_migrations (name, batch) values ('001', 1)`)
      const logger = recordingLogger()
      const migrator = migratorFor(knex)
      expect(await migrator.status({ logger })).toMatchObject([{ state: 'applied' }, { state: 'pending' }])
      expect(await migrator.history({ logger })).toMatchObject([{ kind: 'migration', migration: '001' }])
      const warning = `public.knex_migrations is not trusted, because it belongs to the role ${mallory}`
      expect(logger.warnings.filter((text) => text.includes(warning))).toHaveLength(2)
    })
  })

  test('are not even read where they are views', async () => {
    const { knex } = database()
    await withMallory(database(), async (_mallory, as) => {
      await as(`${evil}
        create view knex_migrations as select 1 as id, evil_text() as name, 1 as batch, now() as migration_time;
        create view pgvector_migration_log as select now() as happened_at, 1 as id, evil_text() as event`)
      const migrator = migratorFor(knex)
      const { reasons, remedies } = (await expectError('TABLE_NOT_TRUSTED', () => migrator.status(silent))).details
      expect(reasons[0]).toBe('it is a view, not a table')
      expect(remedies).toEqual(['DROP VIEW public.knex_migrations;'])
      const logger = recordingLogger()
      expect(await migrator.history({ logger })).toEqual([])
      expect(logger.warnings).toEqual([
        expect.stringContaining('public.knex_migrations is not trusted, because it is a view'),
        expect.stringContaining('public.pgvector_migration_log is not trusted, because it is a view'),
      ])
      expect(await isSprung(knex)).toBe(false)
    })
  })

  test('are reported by the doctor, which reads no more than it may', async () => {
    const { knex } = database()
    await withMallory(database(), async (mallory, as) => {
      await as(`${evil} ${knexTables}
        create table pgvector_migration_log (id integer);
        create index on knex_migrations (id) where evil_check('x')`)
      await knex.raw(`select setval('sprung', 1, false)`)
      const findings = await diagnose(knex, { migrationSource: source(applied) })
      const found = findings.filter(({ level, message }) => level === 'error' && message.includes('not trusted'))
      expect(found.map(({ message }) => /public\.\w+/.exec(message)?.[0])).toEqual([
        'public.pgvector_migration_log',
        'public.knex_migrations',
        'public.knex_migrations_lock',
      ])
      expect(found[1]?.message).toContain(
        `index knex_migrations_id_idx uses function evil_check(text) of the role ${mallory}`,
      )
      expect(found[1]?.next).toContain('DROP INDEX public.knex_migrations_id_idx;')
      expect(await isSprung(knex)).toBe(false)
    })
  })
})

describeOnServers('a table of runs that another role made beforehand', (database) => {
  /** Makes that table with a trap for whoever writes it, where reading it shows a run that never ended. */
  const trapped = `${evil}
    create table knex_migrations_runs (id bigint generated always as identity, command text, started_at timestamptz,
      ended_at timestamptz, outcome text, host text, process_id integer, operating_system_user text, role text,
      lock_xmin text, notes jsonb);
    insert into knex_migrations_runs (command, host, process_id, lock_xmin) values ('up', 'forged.example', 1, '1');
    create trigger t before insert or update on knex_migrations_runs for each row execute function evil()`

  const named = expect.stringContaining('public.knex_migrations_runs is not trusted')
  const lockOf = (knex: Knex): Promise<number[]> => knex('knex_migrations_lock').pluck('is_locked')

  test('does not stop a run, a rehearsal or an adoption, which warn of it and leave it alone', async () => {
    const { knex } = database()
    await withMallory(database(), async (_mallory, as) => {
      await as(trapped)
      expect(await migratorFor(knex).rehearse()).toMatchObject({ warnings: expect.arrayContaining([named]) })
      expect(await migratorFor(knex).up({ to: '001' })).toMatchObject({
        migrations: [{ name: '001' }],
        warnings: [named],
      })
      expect(await migratorFor(knex).up()).toMatchObject({ migrations: [{ name: '002' }], warnings: [named] })
      expect(await migratorFor(knex).up()).toMatchObject({ migrations: [], warnings: [named] })
      expect(await migratorFor(knex).down({ steps: 2 })).toMatchObject({ warnings: [named] })
      await knex.raw('create table made (); create table more ()')
      expect(await migratorFor(knex).adopt()).toMatchObject({ adopted: [{}, {}], warnings: [named] })
      expect(await lockOf(knex)).toEqual([0])
      expect(await isSprung(knex)).toBe(false)
      expect(await knex('knex_migrations_runs').pluck('host')).toEqual(['forged.example'])
    })
  })

  test('gives the lock back after a failure, and after the loss of the connection', async () => {
    const { knex, connect } = database()
    await withMallory(database(), async (_mallory, as) => {
      await as(trapped)
      const ends: Readonly<Record<string, string>> = {
        fails: 'select 1/0',
        dies: 'select pg_terminate_backend(pg_backend_pid())',
      }
      for (const [name, sql] of Object.entries(ends)) {
        const migrator = createMigrator(connect(), { migrationSource: source(applied, { name, up: sql }) })
        await expectError('MIGRATION_FAILED', () => migrator.up())
        expect(await lockOf(knex)).toEqual([0])
      }
      expect(await isSprung(knex)).toBe(false)
    })
  })

  test('does not decide that the lock of a run is free', async () => {
    const { knex } = database()
    await withMallory(database(), async (_mallory, as) => {
      await as(trapped)
      await migratorFor(knex).up({ to: '001' })
      await knex.raw('update knex_migrations_lock set is_locked = 1')
      await as(`update knex_migrations_runs set lock_xmin = (select xmin::text from knex_migrations_lock)`).catch(
        () => undefined,
      )
      await knex.raw(`select setval('sprung', 1, false)`)
      await expectError('MIGRATIONS_LOCKED', () => migratorFor(knex).up({ wait: 100 }))
      await expectError('UNLOCK_REFUSED', () => migratorFor(knex).unlock())
      expect(await migratorFor(knex).unlock({ force: true })).toMatchObject({ status: 'freed', holder: null })
      expect((await migratorFor(knex).up()).migrations).toMatchObject([{ name: '002' }])
      expect(await isSprung(knex)).toBe(false)
    })
  })
})

describeOnServers('tables of the migrations that are ours', (database) => {
  const parts: Readonly<Record<string, readonly [make: string, remedy: string]>> = {
    trigger: [
      'create trigger t before insert on knex_migrations for each row execute function evil()',
      'DROP TRIGGER t ON public.knex_migrations;',
    ],
    'constraint trigger': [
      'create constraint trigger t after insert on knex_migrations for each row execute function evil()',
      'DROP TRIGGER t ON public.knex_migrations;',
    ],
    default: [
      'alter table knex_migrations alter column name set default evil_text()',
      'ALTER TABLE public.knex_migrations ALTER COLUMN name DROP DEFAULT;',
    ],
    constraint: [
      'alter table knex_migrations add constraint c check (evil_check(name))',
      'ALTER TABLE public.knex_migrations DROP CONSTRAINT c;',
    ],
    rule: [
      'create rule r as on insert to knex_migrations do also select evil_text()',
      'DROP RULE r ON public.knex_migrations;',
    ],
    policy: [
      'alter table knex_migrations enable row level security; create policy p on knex_migrations using (evil_check(name))',
      'DROP POLICY p ON public.knex_migrations;',
    ],
    index: ['create index i on knex_migrations (evil_check(name))', 'DROP INDEX public.i;'],
    statistics: ['create statistics s on (evil_check(name)), id from knex_migrations', 'DROP STATISTICS public.s;'],
  }

  test.each(Object.keys(parts))('are not used with a %s of another role, until the remedy ran', async (kind) => {
    const { knex } = database()
    const [make = '', remedy = ''] = parts[kind] ?? []
    await withMallory(database(), async (_mallory, as) => {
      await migratorFor(knex).up({ to: '001' })
      await as(evil)
      await knex.raw(make)
      await knex.raw(`select setval('sprung', 1, false)`)
      const { details } = await expectError('TABLE_NOT_TRUSTED', () => migratorFor(knex).up())
      expect(details.remedies.map((text) => text.toLowerCase())).toEqual([remedy.toLowerCase()])
      expect(await isSprung(knex)).toBe(false)
      for (const statement of details.remedies) await knex.raw(statement)
      expect((await migratorFor(knex).up()).migrations).toMatchObject([{ name: '002' }])
    })
  })

  test('may have a trigger of ours', async () => {
    const { knex } = database()
    await migratorFor(knex).up({ to: '001' })
    await knex.raw(`${evil} create trigger t before insert on knex_migrations for each row execute function evil()`)
    expect((await migratorFor(knex).up()).migrations).toMatchObject([{ name: '002' }])
    expect(await isSprung(knex)).toBe(true)
  })

  test('cost no question of their own', async () => {
    const { knex } = database()
    await migratorFor(knex).up()
    const sent = await statementsOf(knex, () => migratorFor(knex).status())
    expect(sent.filter((sql) => !sql.startsWith('select version()'))).toHaveLength(2)
  })

  test('may belong to a role that this one is a member of, and to the owner of the database', async () => {
    const { knex } = database()
    await migratorFor(knex).up({ to: '001' })
    await withMallory(database(), async (mallory) => {
      const tables = ['knex_migrations', 'knex_migrations_lock', 'knex_migrations_runs']
      for (const table of tables) await knex.raw(`alter table ${table} owner to ${mallory}`)
      await expectError('TABLE_NOT_TRUSTED', () => migratorFor(knex).up())
      await knex.raw(`grant ${mallory} to current_user`)
      expect((await migratorFor(knex).up()).migrations).toMatchObject([{ name: '002' }])
      await knex.raw(`revoke ${mallory} from current_user`)
      await expectError('TABLE_NOT_TRUSTED', () => migratorFor(knex).down())
      const { rows } = await knex.raw<{ rows: [{ name: string }] }>('select current_database() as name')
      await knex.raw(`alter database ${rows[0].name} owner to ${mallory}`)
      expect((await migratorFor(knex).down()).migrations).toMatchObject([{ name: '002' }])
      await knex.raw(`alter database ${rows[0].name} owner to current_user`)
      for (const table of tables) await knex.raw(`alter table ${table} owner to current_user`)
    })
  })
})

describeOnServers('a migration log of another role', (database) => {
  const log = `
    create table pgvector_migration_log (id bigint generated always as identity, happened_at timestamptz default now(),
      event text, role text default current_user, application text, migration text, version_before text,
      version_after text, schema text, server text, provider text, extension_oid oid, dimensions jsonb, duration_ms integer,
      details jsonb);`

  test('is not believed by dropPgvector, and not written', async () => {
    const { knex } = database()
    await withMallory(database(), async (mallory, as) => {
      await knex.raw('create extension vector')
      await as(`${evil} ${log}
        insert into pgvector_migration_log (event, extension_oid) select 'enabled', oid from pg_extension where extname = 'vector';
        create trigger t before insert on pgvector_migration_log for each row execute function evil()`)
      const { status, reason, warnings } = await dropPgvector(knex, silent)
      expect({ status, reason }).toEqual({ status: 'kept', reason: 'not-ours' })
      expect(warnings).toContainEqual(
        expect.stringMatching(`log was not used: public.pgvector_migration_log is not trusted, .* role ${mallory}`),
      )
      expect(await isSprung(knex)).toBe(false)
      expect(await knex('pgvector_migration_log').pluck('event')).toEqual(['enabled'])
    })
  })

  test('is not written by ensurePgvector', async () => {
    const { knex } = database()
    await withMallory(database(), async (_mallory, as) => {
      await as(`${evil} ${log}
        create trigger t before insert on pgvector_migration_log for each statement execute function evil()`)
      const { status, warnings } = await ensurePgvector(knex, silent)
      expect(status).toBe('created')
      expect(warnings).toContainEqual(expect.stringContaining('The migration log was not used'))
      expect(await isSprung(knex)).toBe(false)
      expect(await knex('pgvector_migration_log').pluck('event')).toEqual([])
    })
  })

  test('does not decide which column is ours', async () => {
    const { knex } = database()
    const column = vectorColumn('documents', 'embedding', { dimensions: 3 })
    await ensurePgvector(knex, silent)
    await knex.raw('create table documents (id integer)')
    await addVectorColumn(knex, column, silent)
    await withMallory(database(), async (mallory) => {
      await knex.raw(`alter table pgvector_migration_log owner to ${mallory}`)
      expect(await dropVectorColumn(knex, column, silent)).toMatchObject({ status: 'kept' })
      await knex.raw('alter table pgvector_migration_log owner to current_user')
      expect(await dropVectorColumn(knex, column, silent)).toMatchObject({ status: 'dropped' })
    })
  })
})

describe('whether a table is trusted', () => {
  const ours: TableFacts = {
    oid: 1,
    name: 'public.t',
    kind: 'r',
    owner: 'app',
    role: 'app',
    isOwnerTrusted: true,
    foreign: [],
  }

  test('an ordinary table of ours is', () => {
    expect(distrustOf(ours)).toBeNull()
  })

  test('one of another role is not, and may be read', () => {
    expect(distrustOf({ ...ours, owner: 'mallory', isOwnerTrusted: false })).toEqual({
      oid: 1,
      table: 'public.t',
      reasons: ['it belongs to the role mallory, of which app is not a member'],
      remedies: ['ALTER TABLE public.t OWNER TO "app";'],
      isUnsafeToRead: false,
    })
  })

  test.each([
    ['v', 'view', 'DROP VIEW public.t;'],
    ['m', 'materialized view', 'DROP MATERIALIZED VIEW public.t;'],
    ['f', 'foreign table', 'DROP FOREIGN TABLE public.t;'],
  ])('what is no table is not read (%s)', (kind, name, remedy) => {
    expect(distrustOf({ ...ours, kind })).toMatchObject({
      reasons: [`it is a ${name}, not a table`],
      remedies: [remedy],
      isUnsafeToRead: true,
    })
  })

  test('what of another role runs with it is not read either', () => {
    const part = { description: 'trigger t on table t', uses: 'function f()', role: 'mallory', type: 'trigger' }
    expect(distrustOf({ ...ours, foreign: [{ ...part, identity: 't on public.t' }] })).toMatchObject({
      reasons: ['trigger t on table t uses function f() of the role mallory'],
      remedies: ['DROP TRIGGER t on public.t;'],
      isUnsafeToRead: true,
    })
  })
})
