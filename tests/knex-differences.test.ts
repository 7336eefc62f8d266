import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'

import type { Knex } from 'knex'
import { version as knexVersion } from 'knex/package.json'
import { gte } from 'semver'

import { createMigrator, newMigration } from '../src/migrator.ts'
import { describeOnOneServer, type TestDatabase } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { stockKnex } from './support/knex-command.ts'
import { until } from './support/phases.ts'
import { filesWith, type Files } from './support/players.ts'
import { createProject, migrationOf } from './support/project.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

afterEach(removeTemporaryFolders)

const table = (name: string): string => migrationOf(`create table ${name} ()`, `drop table ${name}`)

const three = {
  'migrations/001_first.js': table('first'),
  'migrations/002_second.js': table('second'),
  'migrations/003_third.js': table('third'),
}

const failing = { ...three, 'migrations/002_second.js': migrationOf('select 1/0') }

/** A schema for stock Knex and one for this library, with the same migrations. */
interface Two {
  readonly stock: Knex
  readonly ours: Knex
  readonly files: Files
}

async function two(
  { knex, connect }: TestDatabase,
  contents: Readonly<Record<string, string>>,
  settings: Knex.MigratorConfig = {},
): Promise<Two> {
  const files = await filesWith(contents)
  await knex.raw('create schema stock; create schema ours')
  const log = { warn: () => undefined, error: () => undefined }
  const migrations = { directory: join(files.folder, 'migrations'), ...settings }
  const open = (schema: string): Knex => connect({ searchPath: [schema], log, migrations })
  return { stock: open('stock'), ours: open('ours'), files }
}

const tablesOf = async (knex: Knex): Promise<string[]> =>
  knex('pg_catalog.pg_tables').whereRaw('schemaname = current_schema()').orderBy('tablename').pluck('tablename')

const namesIn = async (knex: Knex): Promise<string[]> => knex('knex_migrations').orderBy('id').pluck('name')

const stateOf = async (knex: Knex): Promise<string[]> =>
  (await createMigrator(knex).status()).map(({ name, state, isOutOfOrder }) =>
    [name, state, ...(isOutOfOrder ? ['out of order'] : [])].join(' '),
  )

const differences: Readonly<Record<string, (database: TestDatabase) => Promise<void>>> = {
  'Each migration commits by itself': async (database) => {
    const { stock, ours } = await two(database, failing)
    await expect(stock.migrate.latest()).rejects.toThrow('division by zero')
    expect(await tablesOf(stock)).not.toContain('first')
    await expectError('MIGRATION_FAILED', () => createMigrator(ours).up({ transaction: 'batch' }))
    expect(await tablesOf(ours)).not.toContain('first')
    await expectError('MIGRATION_FAILED', () => createMigrator(ours).up())
    expect(await namesIn(ours)).toEqual(['001_first.js'])
  },

  'A second run waits': async (database) => {
    const { stock, ours } = await two(database, three)
    await Promise.all([stock.migrate.up(), ours.migrate.up()])
    await stock('knex_migrations_lock').update({ is_locked: 1 })
    await ours('knex_migrations_lock').update({ is_locked: 1 })
    await expect(stock.migrate.latest()).rejects.toThrow('already locked')
    const events: string[] = []
    const running = createMigrator(ours).up({ onEvent: ({ type }) => events.push(type) })
    await until(ours, () => Promise.resolve(events.includes('waiting')))
    await ours('knex_migrations_lock').update({ is_locked: 0 })
    expect((await running).migrations).toHaveLength(2)
  },

  'A crashed run does not lock out the next one': async (database) => {
    const { stock, ours } = await two(database, three)
    for (const knex of [stock, ours]) {
      await createMigrator(knex).up({ to: '1' })
      await knex.transaction(async (trx) => {
        await trx('knex_migrations_lock').update({ is_locked: 1 })
        await trx.raw(`insert into knex_migrations_runs (command, host, process_id, lock_xmin)
          values ('up', 'gone', 1, (txid_current() % 4294967296)::text)`)
      })
    }
    await expect(stock.migrate.latest()).rejects.toThrow('already locked')
    expect((await createMigrator(ours).up({ wait: 0 })).migrations).toHaveLength(2)
  },

  'Where nothing is pending, nothing is written': async (database) => {
    const { stock, ours } = await two(database, {})
    await stock.migrate.latest()
    expect(await tablesOf(stock)).toEqual(['knex_migrations', 'knex_migrations_lock'])
    expect((await createMigrator(ours).up()).migrations).toEqual([])
    expect(await tablesOf(ours)).toEqual([])
  },

  'Runs are recorded in their own table': async (database) => {
    const { ours } = await two(database, three)
    await createMigrator(ours).up({ to: '1' })
    expect(await ours('knex_migrations_runs').pluck('outcome')).toEqual(['succeeded'])
    await ours.migrate.latest()
    expect(await ours('knex_migrations_runs').pluck('outcome')).toEqual(['succeeded'])
    expect(await namesIn(ours)).toHaveLength(3)
  },

  'Migrations out of order are reported': async (database) => {
    const { ours, files } = await two(database, three)
    await files.remove('migrations/002_second.js')
    await createMigrator(ours).up()
    await files.write('migrations/002_second.js', table('second'))
    await files.write('migrations/004_fourth.js', table('fourth'))
    expect(await stateOf(ours)).toEqual([
      '001_first.js applied',
      '002_second.js pending out of order',
      '003_third.js applied',
      '004_fourth.js pending',
    ])
    const { warnings, migrations } = await createMigrator(ours).up()
    expect(migrations.map(({ name }) => name)).toEqual(['002_second.js', '004_fourth.js'])
    expect(warnings).toEqual(['Applied out of order: 002_second.js after 003_third.js, which comes later.'])
    expect((await stateOf(ours)).filter((text) => text.includes('out of order'))).toEqual([])
  },

  'Migration times come from the server': async (database) => {
    const { stock, ours } = await two(database, three)
    jest.useFakeTimers({
      now: Date.UTC(2001, 0, 1),
      doNotFake: [
        'setTimeout',
        'setInterval',
        'setImmediate',
        'nextTick',
        'queueMicrotask',
        'performance',
        'hrtime',
        'clearTimeout',
        'clearInterval',
        'clearImmediate',
      ],
    })
    try {
      await Promise.all([stock.migrate.latest(), createMigrator(ours).up()])
    } finally {
      jest.useRealTimers()
    }
    const yearOf = async (knex: Knex): Promise<number> => {
      const [first] = await knex<{ migration_time: Date }>('knex_migrations').pluck('migration_time')
      return (first as Date).getFullYear()
    }
    expect(await yearOf(stock)).toBe(2001)
    expect(await yearOf(ours)).toBeGreaterThan(2024)
  },

  'One row in the lock table': async (database) => {
    const { stock, ours } = await two(database, three)
    await Promise.all([stock.migrate.up(), ours.migrate.up()])
    for (const knex of [stock, ours]) await knex('knex_migrations_lock').insert({ is_locked: 0 })
    await expect(stock.migrate.latest()).rejects.toThrow('already locked')
    await createMigrator(ours).up()
    expect(await ours('knex_migrations_lock').pluck('is_locked')).toEqual([0])
  },

  'Down rolls back in the order of application': async (database) => {
    const { stock, ours, files } = await two(database, three)
    await files.remove('migrations/002_second.js')
    await Promise.all([stock.migrate.latest(), createMigrator(ours).up()])
    await files.write('migrations/002_second.js', table('second'))
    await Promise.all([stock.migrate.latest(), createMigrator(ours).up()])
    await Promise.all([stock.migrate.down(), createMigrator(ours).down()])
    expect(await namesIn(stock)).toEqual(['001_first.js', '002_second.js'])
    expect(await namesIn(ours)).toEqual(['001_first.js', '003_third.js'])
  },

  'Down rolls back as many as you ask for': async (database) => {
    const { stock, ours } = await two(database, three)
    await Promise.all([stock.migrate.latest(), createMigrator(ours).up()])
    await stock.migrate.rollback()
    expect(await namesIn(stock)).toEqual([])
    await createMigrator(ours).down()
    expect(await namesIn(ours)).toEqual(['001_first.js', '002_second.js'])
    await createMigrator(ours).down({ steps: 2 })
    expect(await namesIn(ours)).toEqual([])
  },

  'A migration may lack a down': async (database) => {
    const { stock, ours } = await two(database, {
      'migrations/001_first.js': `exports.up = (knex) => knex.raw('create table first ()')`,
    })
    await expect(stock.migrate.latest()).rejects.toThrow('must have both an up and down function')
    await createMigrator(ours).up()
    expect(await namesIn(ours)).toEqual(['001_first.js'])
    const { cause } = await expectError('MIGRATION_FAILED', () => createMigrator(ours).down())
    expect(cause).toMatchObject({ code: 'INVALID_MIGRATION' })
    expect(await namesIn(ours)).toEqual(['001_first.js'])
  },

  'Status lists the migrations whose files are gone': async (database) => {
    const { stock, ours, files } = await two(database, three)
    await Promise.all([stock.migrate.latest(), createMigrator(ours).up()])
    await files.remove('migrations/002_second.js')
    await expect(stock.migrate.list()).rejects.toThrow('the following files are missing: 002_second.js')
    expect(await stateOf(ours)).toEqual(['001_first.js applied', '002_second.js missing', '003_third.js applied'])
    await expectError('MIGRATION_FILES_MISSING', () => createMigrator(ours).up())
  },

  'Declaration files are not migrations': async (database) => {
    const { stock, ours } = await two(database, {
      'migrations/001_first.js': table('first'),
      'migrations/001_first.d.ts': 'export declare function up(): void',
    })
    const [, pending] = (await stock.migrate.list()) as [unknown, { readonly file: string }[]]
    expect(pending.map(({ file }) => file)).toEqual(['001_first.d.ts', '001_first.js'])
    expect(await stateOf(ours)).toEqual(['001_first.js pending'])
  },

  'Two migrations with one name are refused': async (database) => {
    const files = await filesWith({ 'migrations/001_first.js': table('first'), 'more/001_first.js': table('other') })
    const directory = [join(files.folder, 'migrations'), join(files.folder, 'more')]
    const { stock, ours } = await two(database, {}, { directory })
    await stock.migrate.latest()
    expect(await namesIn(stock)).toEqual(['001_first.js', '001_first.js'])
    await expectError('INVALID_MIGRATION', () => createMigrator(ours).up())
    const source: Knex.MigrationSource<string> = {
      getMigrations: () => Promise.resolve(['a', 'a']),
      getMigrationName: (name) => name,
      getMigration: () => Promise.resolve({ up: () => Promise.resolve(), down: () => Promise.resolve() }),
    }
    await expectError('INVALID_MIGRATION', () => createMigrator(ours, { migrationSource: source }).up())
  },

  'TypeScript and ES modules need no loader': async ({ knex, url }) => {
    const project = await createProject({
      'knexfile.mts': `
        import type { Knex } from 'knex'
        const migrations: Knex.MigratorConfig = { loadExtensions: ['.ts', '.mjs'] }
        export default { client: 'pg', connection: process.env['DATABASE_URL'], migrations } satisfies Knex.Config`,
      'migrations/001_first.ts': `
        import type { Knex } from 'knex'
        export const up = (knex: Knex) => knex.raw('create table first ()')
        export const down = (knex: Knex) => knex.raw('drop table first')`,
      'migrations/002_second.mjs': `export default {
        up: (knex) => knex.raw('create table second ()'), down: (knex) => knex.raw('drop table second') }`,
    })
    const up = await project.run(['up', '--knexfile', 'knexfile.mts'], { DATABASE_URL: url ?? '' })
    expect(up).toMatchObject({ code: 0 })
    expect(await namesIn(knex)).toEqual(['001_first.ts', '002_second.mjs'])
  },

  'A table name may have a schema': async (database) => {
    const { knex } = database
    await knex.raw('create schema audit; create schema theirs')
    const { stock, ours } = await two(database, three, { tableName: 'audit.knex_migrations' })
    const theirs = createMigrator(stock, { tableName: 'theirs.knex_migrations' })
    await expect(stock.migrate.latest({ tableName: 'theirs.knex_migrations' })).rejects.toThrow('already exists')
    expect(await knex('theirs.knex_migrations')).toEqual([])
    expect((await theirs.up()).migrations).toHaveLength(3)
    expect((await createMigrator(ours).up()).migrations).toHaveLength(3)
    expect((await createMigrator(ours).up()).migrations).toEqual([])
    expect(await knex('audit.knex_migrations').pluck('name')).toHaveLength(3)
    expect(await tablesOf(ours)).toEqual(['first', 'second', 'third'])
    for (const settings of [{ schemaName: 'stock' }, { tableName: 'a.b.c' }]) {
      await expectError('INVALID_OPTIONS', async () => createMigrator(ours, settings))
      await expect(ours.migrate.latest(settings)).rejects.toThrow('cross-database references')
    }
  },

  'The command line honours disableTransactions': async ({ knex, connect, url }) => {
    const project = await createProject({
      'knexfile.js': `module.exports = {
        client: 'pg', connection: process.env.DATABASE_URL, searchPath: [process.env.ITS], migrations: { disableTransactions: true } }`,
      'migrations/001_first.js': `
        exports.up = async (knex) => { await knex.raw('create table first ()'); await knex.raw('select 1/0') }
        exports.down = () => undefined`,
    })
    await knex.raw('create schema stock; create schema ours')
    const env = (schema: string): Record<string, string> => ({ DATABASE_URL: url ?? '', ITS: schema })
    expect(await stockKnex(project.folder, env('stock'), 'migrate:latest')).toMatchObject({ code: 1 })
    expect(await project.run(['up'], env('ours'))).toMatchObject({ code: 2 })
    const kept = await tablesOf(connect({ searchPath: ['stock'] }))
    // The flag came with Knex 3.2.
    expect(kept.includes('first')).toBe(!gte(knexVersion, '3.2.0'))
    expect(await tablesOf(connect({ searchPath: ['ours'] }))).toContain('first')
  },

  'A new migration is numbered like its neighbours': async (database) => {
    const { stock, files } = await two(database, three)
    const directory = join(files.folder, 'migrations')
    await files.write('template.js', 'exports.up = () => <%= d.what %>\n')
    const stub = join(files.folder, 'template.js')
    const made = await stock.migrate.make('fourth', { stub, variables: { what: 'undefined' } } as Knex.MigratorConfig)
    expect(basename(made)).toMatch(/^\d{14}_fourth\.js$/)
    await files.remove(`migrations/${basename(made)}`)
    const { name, path } = await newMigration('fourth', { directory, stub, variables: { what: 'undefined' } })
    expect(name).toBe('004_fourth')
    expect(await readFile(path, 'utf8')).toBe('exports.up = () => undefined\n')
    const { path: other } = await newMigration('fifth', { directory, stub, kind: 'enable' })
    expect(await readFile(other, 'utf8')).toContain('ensurePgvector')
  },
}

describeOnOneServer('what differs from stock Knex on purpose', (database) => {
  test.each(Object.entries(differences))('%s', async (_, expectDifference) => {
    await expectDifference(database())
  })
})

test('what differs from stock Knex is on one page, with a test for each heading', async () => {
  const page = await readFile('docs/stock-knex.md', 'utf8')
  const headings = [...page.matchAll(/^### (.*)$/gm)].map(([, heading]) => heading)
  expect(headings).toEqual(Object.keys(differences))
})
