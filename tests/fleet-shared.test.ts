import { randomBytes } from 'node:crypto'

import type { Knex } from 'knex'

import { describeOnServers, type TestDatabase } from './support/databases.ts'
import { createFleet } from '../src/fleet.ts'
import { createSchemas, fleetOf, schemasWith, sourceOf, tenantsOf, twoTables, type Steps } from './support/fleets.ts'

const two = ['tenant_a', 'tenant_b'] as const

type Act = string | ((knex: Knex) => PromiseLike<unknown>)

/** What the migration of the second tenant sees on its connection. */
interface Seen {
  readonly processId: unknown
  readonly value: unknown
}

// The migration leaves something behind in the first tenant, and looks for it in the second one.
async function lookAfter(
  database: TestDatabase,
  isolation: 'shared' | 'connection',
  { before = 'select 1', leave, look, isTransactional = true }: Probe,
): Promise<{ readonly first: unknown; readonly second: Seen }> {
  let first: unknown
  let second: Seen | undefined
  const steps: Steps = {
    '001_probe': [
      async (knex: Knex) => {
        const { rows } = await knex.raw<{ rows: { pid: unknown; schema: string }[] }>(
          'select pg_backend_pid() as pid, current_schema() as schema',
        )
        if (rows[0]?.schema === 'tenant_a') {
          first = rows[0].pid
          await (typeof leave === 'string' ? knex.raw(leave) : leave(knex))
        } else if (rows[0]?.schema === 'tenant_b') {
          const seen = await knex.raw<{ rows: unknown }>(look)
          second = { processId: rows[0].pid, value: seen.rows }
        }
      },
      'select 1',
      isTransactional,
    ],
  }
  await database.knex.raw(before)
  const report = await fleetOf(database, two, steps).up({ isolation, concurrency: 1 })
  expect(report.failed).toEqual([])
  if (second === undefined) throw new Error('the second tenant did not run')
  return { first, second }
}

interface Probe {
  /** What was there before the run. */
  readonly before?: string
  readonly leave: Act
  readonly look: string
  readonly isTransactional?: boolean
}

const setting = (name: string): string => `select current_setting('${name}', true) as value`

/** What DISCARD ALL undoes, so that the connection is used again. */
const cleaned: Readonly<Record<string, Probe>> = {
  'a temporary table that hides a table': {
    leave: 'create temporary table items (id int)',
    look: `select to_regclass('items')::text as value`,
  },
  'a statement timeout': { leave: `set statement_timeout = '1h'`, look: setting('statement_timeout') },
  'a lock timeout': { leave: `set lock_timeout = '1h'`, look: setting('lock_timeout') },
  'a time zone': { leave: `set timezone = 'Asia/Tokyo'`, look: setting('timezone') },
  'the search path': { leave: 'set search_path = pg_catalog, public', look: setting('search_path') },
  'the date style': { leave: `set datestyle = 'German'`, look: setting('datestyle') },
  'disabled triggers': {
    leave: 'set session_replication_role = replica',
    look: setting('session_replication_role'),
  },
  'transactions that only read': {
    leave: 'set default_transaction_read_only = on',
    look: setting('default_transaction_read_only'),
  },
  'another isolation level': {
    leave: `set default_transaction_isolation = 'serializable'`,
    look: setting('default_transaction_isolation'),
  },
  'a prepared statement': {
    leave: 'prepare kept as select 1',
    look: 'select count(*)::int as value from pg_prepared_statements',
  },
  'an advisory lock': {
    leave: 'select pg_advisory_lock(42)',
    look: `select count(*)::int as value from pg_locks
      where locktype = 'advisory' and classid = 0 and objid = 42 and pid = pg_backend_pid()`,
  },
  'a channel that it listens to': {
    leave: 'listen kept',
    look: 'select count(*)::int as value from pg_listening_channels()',
  },
  'a cursor with hold': {
    leave: 'declare kept cursor with hold for select 1',
    look: 'select count(*)::int as value from pg_cursors where is_holdable',
  },
  'the last value of a sequence': {
    leave: `create temporary sequence numbers; select nextval('numbers')`,
    look: `select count(*)::int as value from pg_sequences where last_value is not null and schemaname like 'pg_temp%'`,
  },
  'the seed of random numbers': { leave: 'select setseed(0.5)', look: 'select random() = 0.9851677175347999 as value' },
  'the cached plan of a shared function': {
    leave: `
      create table items as select 'a' as owner;
      create or replace function public.owner_of_items() returns text language plpgsql as
        $$ begin return (select min(owner) from items); end $$;
      select public.owner_of_items();
    `,
    look: `create table items as select 'b' as owner; select public.owner_of_items() as value`,
  },
}

/** What it does not undo, so that the connection is replaced. */
const replaced: Readonly<Record<string, Probe>> = {
  'a setting with a prefix': { leave: `set app.tenant = 'a'`, look: setting('app.tenant') },
  'a setting with a prefix, by a function': {
    leave: `select set_config('app.tenant', 'a', false)`,
    look: setting('app.tenant'),
  },
  'a setting with a prefix, by a function of the tenant': {
    before: `create or replace function tenant_a.remember() returns void language sql begin atomic
      select set_config('app.tenant', 'a', false); end`,
    leave: 'select remember()',
    look: setting('app.tenant'),
  },
  'a setting with a prefix, by a clause of a function': {
    before: `create or replace function public.remember() returns int language sql set app.tenant = 'a' return 1`,
    leave: 'select public.remember()',
    look: setting('app.tenant'),
  },
  'a setting of an extension': { leave: 'set hnsw.ef_search = 7', look: setting('hnsw.ef_search') },
  'a statement that the driver knows by name': {
    leave: async (knex) => {
      const connection = (await knex.client.acquireConnection()) as { query: (query: object) => Promise<unknown> }
      await connection.query({ name: 'kept', text: 'select 1' })
    },
    look: 'select count(*)::int as value from pg_prepared_statements',
  },
  'a listener of the driver': {
    leave: async (knex) => {
      const connection = (await knex.client.acquireConnection()) as { on: (event: string, act: () => void) => void }
      connection.on('notice', () => undefined)
    },
    look: 'select 1 as value',
  },
  'a parser of the driver': {
    leave: async (knex) => {
      const connection = (await knex.client.acquireConnection()) as {
        setTypeParser: (type: number, parse: () => string) => void
      }
      connection.setTypeParser(23, () => 'kept')
    },
    look: 'select 1::int4 as value',
  },
  'an open transaction': {
    leave: 'begin',
    look: 'select now() = statement_timestamp() as value',
    isTransactional: false,
  },
  'what a migration outside a transaction did': {
    leave: 'set work_mem = 12345',
    look: setting('work_mem'),
    isTransactional: false,
  },
  'a function that knows the types of the first tenant': {
    leave: `
      create table items as select 1 as id;
      create or replace function public.first_item() returns text language plpgsql as
        $$ declare item items%rowtype; begin select * into item from items; return item::text; end $$;
      select public.first_item();
    `,
    look: `create table items as select 2 as id, 'b' as name; select public.first_item() as value`,
  },
  'a function with a variable of the type of a table': {
    leave: `
      create table items as select 1 as id;
      create or replace function public.first_item() returns text language plpgsql as
        $$ declare item items; begin select * into item from items; return item::text; end $$;
      select public.first_item();
    `,
    look: `create table items as select 2 as id, 'b' as name; select public.first_item() as value`,
  },
}

const cases = (probes: Readonly<Record<string, Probe>>): [string, Probe][] => Object.entries(probes)

describeOnServers('the connection that tenants share', (database) => {
  beforeEach(() => createSchemas(database(), two))

  test('is one for several tenants', async () => {
    const { first, second } = await lookAfter(database(), 'shared', { leave: 'select 1', look: 'select 1' })
    expect(second.processId).toBe(first)
  })

  test.each(cases(cleaned))('brings nothing to the next tenant of: %s', async (_, probe) => {
    const { first, second } = await lookAfter(database(), 'shared', probe)
    expect(second.processId).toBe(first)
    await resetTenants(database())
    const { second: expected } = await lookAfter(database(), 'connection', probe)
    expect(second.value).toEqual(expected.value)
  })

  test.each(cases(replaced))('is replaced after: %s', async (_, probe) => {
    const { first, second } = await lookAfter(database(), 'shared', probe)
    expect(second.processId).not.toBe(first)
    await resetTenants(database())
    const { second: expected } = await lookAfter(database(), 'connection', probe)
    expect(second.value).toEqual(expected.value)
  })

  test('brings no role to the next tenant', async () => {
    const { knex } = database()
    const role = `fleet_${randomBytes(4).toString('hex')}`
    await knex.raw(`create role ${role}; do $$ begin execute format('grant %I to ${role}', current_user); end $$`)
    try {
      for (const leave of [`set role ${role}`, `set session authorization ${role}`]) {
        const look = `select current_user <> '${role}' and session_user <> '${role}' as value`
        const { second } = await lookAfter(database(), 'shared', { leave, look })
        expect(second.value).toEqual([{ value: true }])
        await resetTenants(database())
      }
    } finally {
      await knex.raw(`drop owned by ${role}; drop role ${role}`)
    }
  })

  test('is replaced when the server has ended it, also while it is free', async () => {
    const { knex } = database()
    const names = ['tenant_c', 'tenant_d', 'tenant_e']
    await createSchemas(database(), names)
    const ended: unknown[] = []
    const url = new URL(database().url ?? '')
    url.searchParams.set('application_name', 'fleet')
    const config = { client: 'pg', connection: url.href, migrations: { migrationSource: sourceOf(twoTables) } }
    const report = await fleetOf(database(), [...two, ...names], twoTables, { config }).up({
      concurrency: 1,
      onEvent: (event) => {
        if (event.type === 'finished') ended.push(knex.raw(endOthers))
      },
    })
    await Promise.all(ended)
    const lost = report.failed.map(({ code }) => code)
    expect(lost.filter((code) => code !== 'CONNECTION_LOST')).toEqual([])
    const { failed } = await fleetOf(database(), [...two, ...names]).up()
    expect(failed).toEqual([])
    expect(await schemasWith(database(), 'second')).toEqual([...two, ...names])
  })

  test('is not used for tenants with other credentials', async () => {
    const seen = new Set<unknown>()
    const look = async (knex: Knex): Promise<void> => {
      const { rows } = await knex.raw<{ rows: { pid: unknown }[] }>('select pg_backend_pid() as pid')
      seen.add(rows[0]?.pid)
    }
    const migrations = { migrationSource: sourceOf({ '001_look': [look] }) }
    const fleet = createFleet({
      tenants: tenantsOf(two),
      knex: ({ name }) => {
        const url = new URL(database().url ?? '')
        url.searchParams.set('application_name', name)
        return { client: 'pg', connection: url.href, migrations }
      },
    })
    expect((await fleet.up({ concurrency: 1 })).failed).toEqual([])
    expect(seen.size).toBe(2)
  })

  test('is not used where it has a role of its own', async () => {
    const url = new URL(database().url ?? '')
    url.searchParams.set('options', '-c role=pg_database_owner')
    const seen: unknown[] = []
    const look = async (knex: Knex): Promise<void> => {
      const { rows } = await knex.raw<{ rows: unknown[] }>('select pg_backend_pid() as pid, current_user as role')
      seen.push(...rows)
    }
    for (const schema of two) await database().knex.raw('grant all on schema ?? to pg_database_owner', [schema])
    const config = { client: 'pg', connection: url.href }
    const report = await fleetOf(database(), two, { '001_look': [look] }, { config }).up({ concurrency: 1 })
    expect(report.failed).toEqual([])
    expect(new Set(seen.map((each) => (each as { pid: unknown }).pid)).size).toBe(2)
    expect(seen).toMatchObject([{ role: 'pg_database_owner' }, { role: 'pg_database_owner' }])
  })
})

const endOthers = `select pg_terminate_backend(pid) from pg_stat_activity
  where datname = current_database() and application_name = 'fleet' and state = 'idle'`

async function resetTenants({ knex }: TestDatabase): Promise<void> {
  for (const schema of two) await knex.raw('drop schema ?? cascade; create schema ??', [schema, schema])
}
