import { randomBytes } from 'node:crypto'

import type { Knex } from 'knex'

import { type PgvectorMigrationError } from '../src/index.ts'
import { diagnose } from '../src/doctor.ts'
import { createMigrator, type Migrator } from '../src/migrator.ts'
import { describeOnServers, type TestDatabase } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { items, source } from './support/steps.ts'

const pending = { name: '002_more', up: 'create table more (id int)' }

/** Runs with a role that has no right but what is granted to it, here TO role. */
async function withRole(
  { knex, connect, url }: TestDatabase,
  grants: string,
  run: (knex: Knex, role: string) => Promise<void>,
): Promise<void> {
  const role = `Migrates_${randomBytes(4).toString('hex')}`
  await knex.raw(`revoke all on schema public from public; create role "${role}" login password 'migrates'`)
  if (grants !== '') await knex.raw(grants.replaceAll('TO role', `to "${role}"`))
  const as = new URL(url ?? '')
  as.username = role
  as.password = 'migrates'
  const limited = connect({ connection: as.href })
  try {
    await run(limited, role)
  } finally {
    await limited.destroy()
    await knex.raw(`drop owned by "${role}"; drop role "${role}"`)
  }
}

const commands: Readonly<Record<string, (migrator: Migrator) => Promise<unknown>>> = {
  status: (migrator) => migrator.status(),
  preview: (migrator) => migrator.preview('up'),
  history: (migrator) => migrator.history(),
  plan: (migrator) => migrator.plan(),
  up: (migrator) => migrator.up(),
  down: (migrator) => migrator.down(),
  rehearse: (migrator) => migrator.rehearse(),
  adopt: (migrator) => migrator.adopt(),
  unlock: (migrator) => migrator.unlock(),
}

/** The rights that a refusal asks for. */
const grantsIn = ({ hint }: PgvectorMigrationError): string[] => hint.match(/GRANT [^;]+;/g) ?? []

describeOnServers('a role that lacks a right on the tables of Knex', (database) => {
  test.each(Object.keys(commands))('sees which one from %s', async (name) => {
    const { knex } = database()
    await createMigrator(knex, { migrationSource: source(items) }).up()
    // So that there is something to be freed.
    await knex('knex_migrations_lock').update({ is_locked: 1 })
    await withRole(database(), 'grant usage on schema public TO role', async (limited, role) => {
      const migrator = createMigrator(limited, { migrationSource: source(items, pending) })
      const error = await expectError('INSUFFICIENT_PRIVILEGE', () => commands[name]?.(migrator) ?? Promise.resolve())
      expect(error.details.role).toBe(role)
      expect(error.sqlState).toBe('42501')
      expect(grantsIn(error).join(' ')).toMatch(new RegExp(`GRANT SELECT[A-Z, ]* ON "knex_migrations" TO "${role}";`))
    })
  })

  test('can migrate with the privileges that the hints name, and with no more', async () => {
    const { knex } = database()
    await createMigrator(knex, { migrationSource: source(items) }).up()
    await withRole(database(), 'grant usage, create on schema public TO role', async (limited, role) => {
      const migrator = createMigrator(limited, { migrationSource: source(items, pending) })
      const error = await expectError('INSUFFICIENT_PRIVILEGE', () => migrator.up())
      expect(grantsIn(error)).toEqual([
        `GRANT SELECT, INSERT, DELETE ON "knex_migrations" TO "${role}";`,
        `GRANT SELECT, INSERT, UPDATE, DELETE ON "knex_migrations_lock" TO "${role}";`,
        `GRANT SELECT, INSERT, UPDATE ON "knex_migrations_runs" TO "${role}";`,
        `GRANT USAGE ON SEQUENCE public.knex_migrations_id_seq TO "${role}";`,
      ])
      for (const grant of grantsIn(error)) await knex.raw(grant)
      expect((await migrator.up()).migrations).toMatchObject([{ name: '002_more' }])
      await migrator.rehearse()
      await migrator.down()
      await migrator.unlock()
    })
  })

  test('sees which one is missing for the record of a migration', async () => {
    const { knex } = database()
    await createMigrator(knex, { migrationSource: source(items) }).up()
    const grants = `grant usage, create on schema public TO role; grant select on knex_migrations TO role;
      grant all on knex_migrations_lock, knex_migrations_runs TO role`
    await withRole(database(), grants, async (limited) => {
      const migrator = createMigrator(limited, { migrationSource: source(items, pending) })
      const error = await expectError('MIGRATION_FAILED', () => migrator.up())
      expect(grantsIn(error)[0]).toMatch(/^GRANT INSERT, DELETE ON "knex_migrations" TO/)
    })
  })

  test('sees that it may not create them, and in which schema', async () => {
    await database().knex.raw('create schema "Ops"')
    await withRole(database(), 'grant usage on schema public, "Ops" TO role', async (limited, role) => {
      const here = createMigrator(limited, { migrationSource: source(items) })
      const there = createMigrator(limited, { migrationSource: source(items), schemaName: 'Ops' })
      for (const run of [() => here.up(), () => here.rehearse()])
        expect(grantsIn(await expectError('INSUFFICIENT_PRIVILEGE', run))).toEqual([
          `GRANT CREATE ON SCHEMA "public" TO "${role}";`,
        ])
      expect(grantsIn(await expectError('INSUFFICIENT_PRIVILEGE', () => there.up()))).toEqual([
        `GRANT CREATE ON SCHEMA "Ops" TO "${role}";`,
      ])
    })
  })

  test('sees that it may not use their schema', async () => {
    const { knex } = database()
    await knex.raw('create schema "Ops"')
    const options = { migrationSource: source(items, pending), schemaName: 'Ops' }
    await createMigrator(knex, { ...options, migrationSource: source(items) }).up()
    await withRole(database(), '', async (limited, role) => {
      const error = await expectError('INSUFFICIENT_PRIVILEGE', () => createMigrator(limited, options).status())
      expect(grantsIn(error)).toEqual([
        `GRANT USAGE ON SCHEMA "Ops" TO "${role}";`,
        `GRANT SELECT ON "Ops"."knex_migrations" TO "${role}";`,
        `GRANT SELECT ON "Ops"."knex_migrations_lock" TO "${role}";`,
        `GRANT SELECT ON "Ops"."knex_migrations_runs" TO "${role}";`,
      ])
    })
  })

  test('sees which schema is missing', async () => {
    const { knex } = database()
    const nowhere = createMigrator(knex, { migrationSource: source(items), schemaName: 'Nowhere' })
    const error = await expectError('SCHEMA_NOT_FOUND', () => nowhere.up())
    expect(error.hint).toMatch(/CREATE SCHEMA "Nowhere";.*migrations\.schemaName/)
  })
})

describeOnServers('a database that is read-only', (database) => {
  const readOnly = async (): Promise<Knex> => {
    const { knex, connect } = database()
    await createMigrator(knex, { migrationSource: source(items) }).up()
    await knex('knex_migrations_lock').update({ is_locked: 1 })
    await knex.raw(`do $$ begin
      execute format('alter database %I set default_transaction_read_only = on', current_database()); end $$`)
    return connect()
  }

  test.each(['up', 'down', 'rehearse', 'unlock'])('is foreseen by %s', async (name) => {
    const migrator = createMigrator(await readOnly(), { migrationSource: source(items, pending) })
    const run = name === 'unlock' ? () => migrator.unlock({ force: true }) : () => commands[name]?.(migrator)
    const error = await expectError('READ_ONLY', () => Promise.resolve(run()))
    expect(error.details.reason).toBe('transaction')
  })

  test('is not where the doctor recommends to migrate', async () => {
    const findings = await diagnose(await readOnly(), { migrationSource: source(items, pending) })
    const advice = findings.flatMap(({ next }) => next ?? []).filter((next) => next.startsWith('npx'))
    expect(advice.length).toBeGreaterThan(0)
    for (const next of advice) expect(next).toMatch(/-- on a connection that may write$/)
  })
})
