import { randomBytes } from 'node:crypto'

import type { Knex } from 'knex'

import { createFleet, databasesLike, schemasLike, type FleetEvent } from '../src/fleet.ts'
import { describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { createSchemas, fleetOf, schemasWith, sourceOf, tenantsOf, twoTables } from './support/fleets.ts'

const five = ['tenant_a', 'tenant_b', 'tenant_c', 'tenant_d', 'tenant_e'] as const

describeOnServers('a fleet of schemas', (database) => {
  test('applies the migrations in every schema, and stock Knex agrees', async () => {
    await createSchemas(database(), five)
    const report = await fleetOf(database(), five).up()
    expect(report).toMatchObject({ direction: 'up', skipped: [], busy: [], failed: [], notReached: [], stopped: null })
    expect(report.done.toSorted()).toEqual(five)
    expect(await schemasWith(database(), 'first')).toEqual(five)
    const migrations = { migrationSource: sourceOf(twoTables) }
    const stock = database().connect({ searchPath: ['tenant_c'], migrations })
    expect(await stock.migrate.latest()).toEqual([1, []])
    expect(await stock.migrate.rollback()).toEqual([1, ['002_second', '001_first']])
  })

  test('skips tenants that have nothing to do', async () => {
    await createSchemas(database(), five)
    await fleetOf(database(), five.slice(0, 3)).up()
    const events: FleetEvent[] = []
    const report = await fleetOf(database(), five).up({ onEvent: (event) => events.push(event) })
    expect(report.skipped).toEqual(five.slice(0, 3))
    expect(report.done).toEqual(five.slice(3))
    expect(events[0]).toEqual({ type: 'planned', tenants: 2, skipped: 3 })
    expect(events.map((event) => ('tenant' in event ? `${event.type} ${event.tenant}` : event.type))).toEqual([
      'planned',
      'started tenant_d',
      'finished tenant_d',
      'started tenant_e',
      'finished tenant_e',
    ])
  })

  test('works in the right schema whatever its name is', async () => {
    const names = [
      'a "quoted" one',
      'dotted.name',
      'why?',
      "it's",
      'semi; drop schema public',
      'back\\slash',
      '"',
      'Große',
    ]
    await createSchemas(database(), names)
    const report = await fleetOf(database(), names).up()
    expect(report.failed).toEqual([])
    expect(await schemasWith(database(), 'second')).toEqual(names.toSorted())
    expect(await schemasWith(database(), 'knex_migrations')).toEqual(names.toSorted())
    expect((await fleetOf(database(), names).up()).skipped).toEqual(names)
  })

  test('never uses the tables of another application further down the search path', async () => {
    const { knex } = database()
    await createSchemas(database(), ['tenant_a'])
    await knex.migrate.latest({ migrationSource: sourceOf(twoTables) })
    const report = await fleetOf(database(), ['tenant_a']).up()
    expect(report.done).toEqual(['tenant_a'])
    expect(await schemasWith(database(), 'first')).toEqual(['public', 'tenant_a'])
    expect(await knex('knex_migrations').pluck('name')).toEqual(['001_first', '002_second'])
  })

  test.each(['$user', 'pg_temp', 'pg_catalog', 'information_schema', '', 'x'.repeat(64)])(
    'refuses the schema %p before anything runs',
    async (schema) => {
      await createSchemas(database(), ['tenant_a'])
      const fleet = fleetOf(database(), [], twoTables, {
        tenants: [...tenantsOf(['tenant_a']), { name: 'other', schema }],
      })
      await expectError('INVALID_OPTIONS', () => fleet.up())
      expect(await schemasWith(database(), 'knex_migrations')).toEqual([])
    },
  )

  test('refuses two tenants of one name, and reports two in one schema', async () => {
    await createSchemas(database(), ['tenant_a'])
    await expectError('INVALID_OPTIONS', () => fleetOf(database(), ['tenant_a', 'tenant_a']).up())
    const tenants = [...tenantsOf(['tenant_a']), { name: 'again', schema: 'tenant_a' }]
    const report = await fleetOf(database(), [], twoTables, { tenants }).up()
    expect(report.done).toEqual(['tenant_a'])
    expect(report.failed).toMatchObject([{ tenant: 'again', code: 'INVALID_OPTIONS' }])
  })

  test('reports a missing schema as the failure of that tenant, and creates nothing elsewhere', async () => {
    await createSchemas(database(), ['tenant_a', 'tenant_c'])
    const report = await fleetOf(database(), ['tenant_a', 'tenant_b', 'tenant_c']).up()
    expect(report.done).toEqual(['tenant_a', 'tenant_c'])
    expect(report.failed).toMatchObject([
      { tenant: 'tenant_b', migration: null, code: 'SCHEMA_NOT_FOUND', message: 'Schema "tenant_b" does not exist' },
    ])
    expect(await schemasWith(database(), 'knex_migrations')).toEqual(['tenant_a', 'tenant_c'])
  })

  test('runs nothing in a schema that disappears under it', async () => {
    const { knex } = database()
    await createSchemas(database(), ['tenant_a'])
    const moved = { '001_move': ['alter schema tenant_a rename to elsewhere', 'select 1'] } as const
    const report = await fleetOf(database(), ['tenant_a'], { ...moved, ...twoTables }).up()
    expect(report.failed).toMatchObject([{ tenant: 'tenant_a', migration: '001_move' }])
    expect(await schemasWith(database(), 'first')).toEqual([])
    expect(await knex('pg_namespace').where('nspname', 'elsewhere')).toEqual([])
  })

  test('does not record a migration that ends its transaction itself', async () => {
    await createSchemas(database(), ['tenant_a'])
    const steps = { '001_commit': ['create table first (id int); commit; set search_path = public'] } as const
    const report = await fleetOf(database(), ['tenant_a'], steps).up()
    expect(report.failed).toMatchObject([{ migration: '001_commit', hint: expect.stringContaining('committed') }])
    expect(await database().knex('tenant_a.knex_migrations')).toEqual([])
  })

  test('does not record a migration that hides an error of its transaction', async () => {
    await createSchemas(database(), ['tenant_a'])
    const hide = (knex: Knex): Promise<unknown> => knex.raw('select 1 / 0').then(undefined, () => undefined)
    const report = await fleetOf(database(), ['tenant_a'], { '001_hide': [hide] }).up()
    expect(report.failed).toMatchObject([{ migration: '001_hide', sqlState: '25P02' }])
    expect(await database().knex('tenant_a.knex_migrations')).toEqual([])
  })

  test('puts every migration into its schema, even if the one before changed the search path', async () => {
    await createSchemas(database(), ['tenant_a'])
    const steps = {
      '001_leave': ['set search_path = public'],
      '002_first': ['create table first (id int)'],
      '003_outside': ['create table second (id int)', 'drop table second', false],
    } as const
    expect((await fleetOf(database(), ['tenant_a'], steps).up()).failed).toEqual([])
    expect(await schemasWith(database(), 'first')).toEqual(['tenant_a'])
    expect(await schemasWith(database(), 'second')).toEqual(['tenant_a'])
  })

  test('runs the canaries first, one after the other, and starts no other tenant if one fails', async () => {
    const { knex } = database()
    await createSchemas(database(), five)
    await knex.raw('create table tenant_b.first ()')
    const report = await fleetOf(database(), five).up({ canary: 3 })
    expect(report).toMatchObject({ done: ['tenant_a'], stopped: 'canary', notReached: five.slice(2) })
    expect(report.failed).toEqual([
      {
        tenant: 'tenant_b',
        migration: '001_first',
        code: 'MIGRATION_FAILED',
        message: 'relation "first" already exists',
        hint: expect.any(String),
        sqlState: '42P07',
      },
    ])
    expect(await schemasWith(database(), 'knex_migrations')).toEqual(['tenant_a', 'tenant_b'])
  })

  test('starts no further tenant beyond maxFailures', async () => {
    const { knex } = database()
    await createSchemas(database(), five)
    for (const schema of five.slice(1, 4)) await knex.raw('create table ??.first ()', [schema])
    const report = await fleetOf(database(), five).up({ concurrency: 1, maxFailures: 1 })
    expect(report).toMatchObject({ done: ['tenant_a'], stopped: 'maxFailures', notReached: ['tenant_d', 'tenant_e'] })
    expect(report.failed.map(({ tenant }) => tenant)).toEqual(['tenant_b', 'tenant_c'])
  })

  test('continues where it stopped, and retries only what failed', async () => {
    const { knex } = database()
    await createSchemas(database(), five)
    await knex.raw('create table tenant_b.second ()')
    const fleet = fleetOf(database(), five)
    expect((await fleet.up({ canary: 2, concurrency: 1 })).notReached).toEqual(five.slice(2))
    expect(await fleet.status()).toMatchObject([
      { tenant: 'tenant_a', state: 'current', applied: 2, pending: [] },
      {
        tenant: 'tenant_b',
        state: 'failed',
        applied: 1,
        pending: ['002_second'],
        reason: expect.stringContaining('exists'),
      },
      { tenant: 'tenant_c', state: 'pending', applied: 0 },
      { tenant: 'tenant_d', state: 'pending' },
      { tenant: 'tenant_e', state: 'pending' },
    ])
    await knex.raw('drop table tenant_b.second')
    expect((await fleet.retry()).done).toEqual(['tenant_b'])
    const rest = await fleet.up()
    expect(rest.done.toSorted()).toEqual(five.slice(2))
    expect(rest.skipped).toEqual(['tenant_a', 'tenant_b'])
  })

  test('is consistent with stock Knex that starts on the same new tenants at the same moment', async () => {
    const { knex } = database()
    const schemas = Array.from({ length: 12 }, (_, number) => `tenant_${String(number).padStart(2, '0')}`)
    await createSchemas(database(), schemas)
    const migrations = { migrationSource: sourceOf(twoTables) }
    const fleet = fleetOf(database(), schemas)
    const stock = async (schema: string): Promise<unknown> =>
      // Of two that create the same table or find the lock set, one fails.
      database()
        .connect({ searchPath: [schema], migrations, log: { warn: () => undefined } })
        .migrate.latest()
        .catch(() => null)
    await Promise.all([fleet.up({ canary: 0 }), ...schemas.map(stock)])
    await fleet.up()
    expect((await fleet.status()).map(({ state }) => state)).toEqual(schemas.map(() => 'current'))
    for (const schema of schemas) {
      expect(await knex(`${schema}.knex_migrations`).orderBy('id').pluck('name')).toEqual(['001_first', '002_second'])
    }
  })

  test('runs only the tenants that are named', async () => {
    await createSchemas(database(), five)
    const fleet = fleetOf(database(), five)
    expect((await fleet.up({ only: ['tenant_d', 'tenant_b'] })).done).toEqual(['tenant_b', 'tenant_d'])
    await expectError('INVALID_OPTIONS', () => fleet.up({ only: ['tenant_x'] }))
  })

  test('puts a tenant that another run is migrating at the end of the queue, and reports it after wait', async () => {
    const { knex } = database()
    await createSchemas(database(), five)
    const first = fleetOf(database(), five, { '000_nothing': ['select 1'] })
    await first.up()
    await knex('tenant_a.knex_migrations_lock').update({ is_locked: 1 })
    const all = fleetOf(database(), five, { '000_nothing': ['select 1'], ...twoTables })
    const report = await all.up({ wait: 0 })
    expect(report).toMatchObject({ busy: ['tenant_a'], failed: [], stopped: null })
    expect(report.done.toSorted()).toEqual(five.slice(1))
    const freed: Promise<unknown>[] = []
    const free = async (): Promise<unknown> => knex('tenant_a.knex_migrations_lock').update({ is_locked: 0 })
    const waiting = await all.up({
      wait: '60s',
      onEvent: (event) => {
        if (event.type === 'busy') freed.push(free())
      },
    })
    expect(waiting).toMatchObject({ done: ['tenant_a'], busy: [] })
  })

  test('enables the extension once per database, and the tenants see its types', async () => {
    const { knex } = database()
    await createSchemas(database(), [...five, 'extensions'])
    const steps = { '001_items': ['create table items (embedding vector(3))'] } as const
    const report = await fleetOf(database(), five, steps, { extensionSchema: 'extensions' }).up()
    expect(report.failed).toEqual([])
    expect(await schemasWith(database(), 'items')).toEqual(five)
    expect(await knex('extensions.pgvector_migration_log').pluck('event')).toEqual(['enabled'])
  })

  test('opens at most two connections more than concurrency', async () => {
    const schemas = Array.from({ length: 12 }, (_, number) => `tenant_${number}`)
    await createSchemas(database(), schemas)
    const counts: number[] = []
    const steps = {
      '001_count': [
        async (knex: Knex) => {
          const { rows } = await knex.raw<{ rows: { count: string }[] }>(
            `select count(*) from pg_stat_activity where datname = current_database() and application_name = 'fleet'`,
          )
          counts.push(...rows.map(({ count }) => Number(count)))
        },
      ],
    } as const
    const url = new URL(database().url ?? '')
    url.searchParams.set('application_name', 'fleet')
    await fleetOf(database(), schemas, steps, { config: { client: 'pg', connection: url.href } }).up({ concurrency: 3 })
    expect(counts).toHaveLength(12)
    expect(Math.max(...counts)).toBeLessThanOrEqual(5)
  })

  test('runs migrations that need a second connection, one tenant at a time', async () => {
    await createSchemas(database(), five)
    const steps = {
      '001_both': [
        (knex: Knex) =>
          knex.transaction(async (trx) => {
            await trx.raw('create table first (id int)')
            await knex.raw('create table second (id int)')
          }),
        'select 1',
        false,
      ],
    } as const
    const report = await fleetOf(database(), five, steps).up({ concurrency: 4, canary: 0 })
    expect(report.failed).toEqual([])
    expect(await schemasWith(database(), 'first')).toEqual(five)
    expect(await schemasWith(database(), 'second')).toEqual(five)
  })

  test('keeps the effect of pool.afterCreate, and survives its failures', async () => {
    await createSchemas(database(), five)
    const steps = {
      '001_role': [
        async (knex: Knex) => {
          const { rows } = await knex.raw<{ rows: unknown[] }>(`show timezone`)
          expect(rows).toEqual([{ TimeZone: 'Asia/Tokyo' }])
        },
      ],
    } as const
    const afterCreate = (
      connection: { query: (sql: string, done: (error: unknown) => void) => void },
      done: (error: unknown, connection: unknown) => void,
    ): void => connection.query(`set timezone = 'Asia/Tokyo'`, (error) => done(error, connection))
    const config = { client: 'pg', pool: { afterCreate } }
    expect((await fleetOf(database(), five, steps, { config }).up()).failed).toEqual([])
    const failing = {
      client: 'pg',
      log: { warn: () => undefined },
      pool: { afterCreate: (_: unknown, done: (error: Error) => void) => done(new Error('no')) },
    }
    const report = await fleetOf(database(), five, twoTables, { config: failing }).up({ concurrency: 1, canary: 0 })
    expect(report.failed.map(({ message }) => message)).toEqual(five.map(() => 'no'))
  })

  test('stops at a signal, and reports what was not reached', async () => {
    await createSchemas(database(), five)
    const controller = new AbortController()
    const report = await fleetOf(database(), five).up({
      concurrency: 1,
      signal: controller.signal,
      onEvent: (event) => {
        if (event.type === 'finished') controller.abort()
      },
    })
    expect(report).toMatchObject({ done: ['tenant_a'], failed: [], stopped: 'signal', notReached: five.slice(1) })
  })

  test('rolls back in every tenant, and adds up what would be lost', async () => {
    const { knex } = database()
    await createSchemas(database(), five)
    const fleet = fleetOf(database(), five)
    await fleet.up()
    for (const schema of five.slice(0, 2)) await knex.raw('insert into ??.second values (1), (2)', [schema])
    expect(await fleet.losses()).toMatchObject({
      migrations: [{ name: '002_second', tenants: 5 }],
      tables: [{ table: 'second', tenants: 5, rows: 4, isEstimate: false }],
      failed: [],
    })
    expect(await schemasWith(database(), 'second')).toEqual(five)
    const report = await fleet.down({ to: '001' })
    expect(report.done.toSorted()).toEqual(five)
    expect(await schemasWith(database(), 'second')).toEqual([])
    expect(await schemasWith(database(), 'first')).toEqual(five)
    expect((await fleet.down({ to: '001' })).skipped.toSorted()).toEqual(five)
  })

  test('onboards a tenant: its schema, the extension and all migrations', async () => {
    const { knex } = database()
    const steps = { '001_items': ['create table items (embedding vector(3))'] } as const
    const fleet = fleetOf(database(), [], steps, { extensionSchema: 'public' })
    const tenant = { name: 'new', schema: 'a "new" one' }
    expect(await fleet.onboard(tenant)).toMatchObject({ done: ['new'], failed: [] })
    expect(await schemasWith(database(), 'items')).toEqual(['a "new" one'])
    expect(await fleet.onboard(tenant)).toMatchObject({ done: [], skipped: ['new'] })
    await expectError('INVALID_OPTIONS', () => fleet.onboard({ name: 'new', schema: 'pg_temp' }))
    const { rows } = await knex.raw<{ rows: unknown[] }>(`select from pg_namespace where nspname = 'pg_temp'`)
    expect(rows).toEqual([])
  })

  test('finds schemas by a pattern when it runs', async () => {
    const { knex } = database()
    await createSchemas(database(), ['tenant_b', 'tenant_a', 'tenantx', "quote's"])
    const fleet = fleetOf(database(), [], twoTables, { tenants: schemasLike(knex, 'tenant\\_%') })
    expect((await fleet.up()).done).toEqual(['tenant_a', 'tenant_b'])
    await createSchemas(database(), ['tenant_c'])
    expect((await fleet.up()).done).toEqual(['tenant_c'])
    const quoted = fleetOf(database(), [], twoTables, { tenants: schemasLike(knex, "quote'%") })
    expect((await quoted.up()).done).toEqual(["quote's"])
  })

  test('refuses a configuration with one table of migrations for all tenants', async () => {
    await createSchemas(database(), ['tenant_a'])
    const migrations = { migrationSource: sourceOf(twoTables), schemaName: 'public' }
    const report = await fleetOf(database(), ['tenant_a'], twoTables, { config: { client: 'pg', migrations } }).up()
    expect(report.failed).toMatchObject([{ tenant: 'tenant_a', code: 'INVALID_OPTIONS' }])
  })
})

describeOnServers('a fleet of databases', (database) => {
  test('applies the migrations in each, with the extension', async () => {
    const { knex, url } = database()
    const prefix = `fleet_${randomBytes(4).toString('hex')}_`
    const names = [`${prefix}a`, `${prefix}b`]
    for (const name of names) await knex.raw('create database ??', [name])
    try {
      const fleet = createFleet({
        tenants: databasesLike(knex, `${prefix}%`),
        knex: () => ({
          client: 'pg',
          migrations: { migrationSource: sourceOf({ '001_items': ['create table items (embedding vector(3))'] }) },
        }),
        extensionSchema: 'public',
      })
      expect((await fleet.status()).map(({ tenant, state }) => ({ tenant, state }))).toEqual(
        names.map((tenant) => ({ tenant, state: 'pending' })),
      )
      expect(await fleet.up()).toMatchObject({ done: names, failed: [] })
      expect(await fleet.up()).toMatchObject({ done: [], skipped: names })
      const inDatabase = new URL(url ?? '')
      inDatabase.pathname = `/${names[1]}`
      expect(await database().connect({ connection: inDatabase.href })('items')).toEqual([])
    } finally {
      for (const name of names) await knex.raw('drop database ?? with (force)', [name])
    }
  })
})
