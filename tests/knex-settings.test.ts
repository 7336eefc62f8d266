import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Knex } from 'knex'
import { version as knexVersion } from 'knex/package.json'
import { gte } from 'semver'

import { migrateToLatest, migrationSource } from '../src/index.ts'
import { diagnose } from '../src/doctor.ts'
import { lint } from '../src/lint.ts'
import { createMigrator } from '../src/migrator.ts'
import { describeOnOneServer } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { filesWith } from './support/players.ts'
import { createProject, migrationOf } from './support/project.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

afterEach(removeTemporaryFolders)

const table = (name: string): string => migrationOf(`create table ${name} ()`, `drop table ${name}`)

const files = {
  'some/002_second.js': table('second'),
  'more/001_first.js': table('first'),
  'more/003_third.cjs': table('third'),
}

const namesIn = async (knex: Knex, from = 'knex_migrations'): Promise<string[]> =>
  knex(from).orderBy('id').pluck('name')

// They came with Knex 3.2; this library calls them with every version.
const testWithHooks = gte(knexVersion, '3.2.0') ? test : test.skip

describeOnOneServer('what createMigrator is given', (database) => {
  test.each([
    ['directory', {}, ['001_first.js', '002_second.js', '003_third.cjs']],
    ['sortDirsSeparately', { sortDirsSeparately: true }, ['002_second.js', '001_first.js', '003_third.cjs']],
    ['loadExtensions', { loadExtensions: ['.cjs'] }, ['003_third.cjs']],
    ['tableName', { tableName: 'History' }, ['001_first.js', '002_second.js', '003_third.cjs']],
  ])('is to it what it is to Knex where the configuration has a source: %s', async (_, settings, names) => {
    const { knex, connect } = database()
    const { folder } = await filesWith(files)
    const given = { directory: [join(folder, 'some'), join(folder, 'more')], ...settings }
    await knex.raw('create schema stock')
    const config = { migrations: { migrationSource: migrationSource({ directory: 'nowhere' }) } }
    const stock = connect({ searchPath: ['stock'], ...config })
    await stock.migrate.latest(given)
    const ours = connect(config)
    expect((await createMigrator(ours, given).up()).migrations.map(({ name }) => name)).toEqual(names)
    const kept = 'tableName' in settings ? settings.tableName : 'knex_migrations'
    expect(await namesIn(knex, `stock.${kept}`)).toEqual(names)
    expect(await namesIn(knex, kept)).toEqual(names)
    expect((await migrateToLatest(ours, given)).migrations).toEqual([])
    expect((await lint(ours, given)).findings).toEqual([])
  })

  test('may be a folder that replaces the source of the configuration', async () => {
    const { connect } = database()
    const { folder } = await filesWith(files)
    const ours = connect({ migrations: { migrationSource: migrationSource({ directory: join(folder, 'some') }) } })
    const names = async (options: Knex.MigratorConfig): Promise<string[]> =>
      (await createMigrator(ours, options).status()).map(({ name }) => name)
    expect(await names({})).toEqual(['002_second'])
    expect(await names({ directory: join(folder, 'more') })).toEqual(['001_first.js', '003_third.cjs'])
  })

  testWithHooks('may be hooks, which are called as Knex calls them', async () => {
    const { connect, knex } = database()
    const { folder } = await filesWith(files)
    await knex.raw('create schema stock')
    const calls = async (run: (hooks: object) => Promise<unknown>): Promise<readonly unknown[]> => {
      const all: unknown[] = []
      const hook = (name: string) => async (trx: Knex, migrations: readonly unknown[]) => {
        const done = await trx('knex_migrations').pluck('name')
        all.push([
          name,
          done,
          (migrations as { file: string; directory: string }[]).map((each) => [each.file, each.directory]),
        ])
      }
      const names = ['beforeAll', 'beforeEach', 'afterEach', 'afterAll']
      await run(Object.fromEntries(names.map((name) => [name, hook(name)])))
      return all
    }
    const directory = [join(folder, 'some'), join(folder, 'more')]
    const stock = connect({ searchPath: ['stock'], migrations: { directory } })
    const ours = connect({ migrations: { directory } })
    const expected = await calls((hooks) => stock.migrate.latest(hooks))
    expect(await calls((hooks) => createMigrator(ours, hooks).up())).toEqual(expected)
    const undone = await calls((hooks) => stock.migrate.down(hooks))
    expect(await calls((hooks) => createMigrator(ours, hooks).down())).toEqual(undone)
  })
})

describeOnOneServer('a search path whose first schema has no history', (database) => {
  test('does not take that of the second, in any function', async () => {
    const { knex, connect } = database()
    const { folder } = await filesWith(files)
    const migrations = { directory: join(folder, 'more'), loadExtensions: ['.js', '.cjs'] }
    await createMigrator(connect({ migrations })).up()
    await knex.raw('create schema t1; update public.knex_migrations_lock set is_locked = 1')
    const tenant = createMigrator(connect({ migrations, searchPath: ['t1', 'public'] }))
    expect((await tenant.status()).map(({ state }) => state)).toEqual(['pending', 'pending'])
    expect((await tenant.plan()).migrations).toHaveLength(2)
    expect((await tenant.rehearse()).migrations.map(({ state }) => state)).toEqual(['rehearsed', 'rehearsed'])
    expect((await tenant.unlock()).status).toBe('free')
    expect((await tenant.up({ wait: 0 })).migrations).toHaveLength(2)
    expect((await tenant.history()).filter(({ kind }) => kind === 'migration')).toHaveLength(2)
    expect(await namesIn(knex, 't1.knex_migrations')).toEqual(['001_first.js', '003_third.cjs'])
    expect(await knex('public.knex_migrations_lock').pluck('is_locked')).toEqual([1])
    await tenant.down()
    expect(await namesIn(knex, 'public.knex_migrations')).toHaveLength(2)
  })
})

describeOnOneServer('a tableName with a schema', (database) => {
  test('serves every function', async () => {
    const { knex } = database()
    const { folder } = await filesWith(files)
    const directory = join(folder, 'more')
    await expectError('SCHEMA_NOT_FOUND', () => createMigrator(knex, { directory, tableName: 'audit.history' }).up())
    await knex.raw('create schema audit')
    const migrator = createMigrator(knex, { directory, tableName: 'audit.history' })
    expect((await migrator.plan()).migrations).toHaveLength(2)
    expect((await migrator.rehearse()).migrations).toHaveLength(2)
    expect((await migrator.up({ to: '1' })).migrations).toHaveLength(1)
    expect((await migrator.losses()).migrations).toHaveLength(1)
    expect((await migrator.plan()).migrations).toHaveLength(1)
    expect((await migrator.unlock()).status).toBe('free')
    expect((await migrator.history()).filter(({ kind }) => kind === 'migration')).toHaveLength(1)
    await migrator.down()
    await knex.raw('create table first ()')
    expect((await migrator.adopt({ to: '1' })).adopted).toHaveLength(1)
    expect((await migrator.up()).migrations.map(({ name }) => name)).toEqual(['003_third.cjs'])
    expect(await namesIn(knex, 'audit.history')).toEqual(['001_first.js', '003_third.cjs'])
    const { rows } = await knex.raw<{ rows: { name: string }[] }>(
      `select relname as name from pg_class where relkind = 'r' and relname ~ 'history|migrations' order by 1`,
    )
    expect(rows.map(({ name }) => name)).toEqual(['history', 'history_lock', 'history_runs'])
    const findings = await diagnose(knex, { directory, tableName: 'audit.history' })
    expect(findings.filter(({ level, check }) => level === 'error' && check === 'migrations')).toEqual([])
  })
})

describeOnOneServer('disableMigrationsListValidation', (database) => {
  test('lets a database have migrations of other folders, in every function', async () => {
    const { knex } = database()
    const { folder } = await filesWith(files)
    await createMigrator(knex, { directory: join(folder, 'some') }).up()
    const directory = join(folder, 'more')
    await expectError('MIGRATION_FILES_MISSING', () => createMigrator(knex, { directory }).up())
    const settings = { directory, disableMigrationsListValidation: true }
    const migrator = createMigrator(knex, settings)
    const { migrations, notes } = await migrator.plan()
    expect(migrations).toHaveLength(2)
    expect(notes.join()).toContain('Applied migrations without a file (002_second.js) were not replayed')
    expect((await migrator.rehearse()).migrations.map(({ state }) => state)).toEqual(['rehearsed', 'rehearsed'])
    expect((await migrator.up({ to: '1' })).migrations.map(({ name }) => name)).toEqual(['001_first.js'])
    expect((await migrator.losses({ steps: 5 })).migrations.map(({ name }) => name)).toEqual(['001_first.js'])
    expect((await migrator.down({ steps: 5 })).migrations.map(({ name }) => name)).toEqual(['001_first.js'])
    expect(await namesIn(knex)).toEqual(['002_second.js'])
    const findings = await diagnose(knex, settings)
    expect(findings.filter(({ level, check }) => level === 'error' && check === 'migrations')).toEqual([])
  })
})

describeOnOneServer('a source of the user', (database) => {
  test('whose second migration has no function is refused before the first one runs', async () => {
    const { knex } = database()
    const source = {
      getMigrations: () => Promise.resolve(['a', 'b']),
      getMigrationName: (name: string) => name,
      getMigration: (name: string) =>
        Promise.resolve(name === 'a' ? { up: (db: Knex) => db.raw('create table a ()') } : {}),
    } as Knex.MigrationSource<string>
    await expectError('INVALID_MIGRATION', () => createMigrator(knex, { migrationSource: source }).up())
    expect(await knex.schema.hasTable('a')).toBe(false)
  })
})

const typescript = (name: string): string => `
  import type { Knex } from 'knex'
  export async function up(knex: Knex): Promise<void> { await knex.raw('create table ${name} ()') }
  export async function down(knex: Knex): Promise<void> { await knex.raw('drop table ${name}') }`

describeOnOneServer('the settings of a knexfile', (database) => {
  test.each([
    ['of a function', 'module.exports = () => (SETTINGS)'],
    ['of an environment', 'module.exports = { development: SETTINGS, production: {} }'],
    ['in ES modules, async', 'export default async () => (SETTINGS)'],
    ['in TypeScript', `import type { Knex } from 'knex'\nexport default SETTINGS satisfies Knex.Config`],
  ])('hold for migrations in TypeScript, in a knexfile %s', async (flavour, content) => {
    const { knex, url } = database()
    const settings = `{
      client: 'pg', connection: process.env['DATABASE_URL'],
      migrations: {
        directory: ['some', 'more'], sortDirsSeparately: true, loadExtensions: ['.ts'], tableName: 'audit.history', stub: 'template.txt',
      },
    }`
    const knexfile = `knexfile.${flavour.includes('ES') ? 'mjs' : flavour.includes('Type') ? 'ts' : 'js'}`
    const project = await createProject({
      [knexfile]: content.replace('SETTINGS', settings),
      'some/002_second.ts': typescript('second'),
      'some/002_second.js': table('never'),
      'more/001_first.ts': typescript('first'),
      'template.txt': '// of our own\nexport const up = () => undefined\n',
    })
    await knex.raw('create schema audit')
    const run = (...flags: string[]): ReturnType<typeof project.run> =>
      project.run([...flags, '--knexfile', knexfile], { DATABASE_URL: url ?? '' })
    expect(await run('up')).toMatchObject({ code: 0 })
    expect(await namesIn(knex, 'audit.history')).toEqual(['002_second.ts', '001_first.ts'])
    const made = await run('new', 'third')
    expect(made.stdout).toContain(join('more', '002_third.ts'))
    expect(await readFile(join(project.folder, 'more/002_third.ts'), 'utf8')).toContain('// of our own')
  })

  test('name a stub that is not there only to a new migration that would begin with it', async () => {
    const project = await createProject({
      'knexfile.js': `module.exports = { client: 'pg', migrations: { stub: 'nowhere.stub' } }`,
    })
    const { code, stderr } = await project.run(['new', 'first'])
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringMatching(/nowhere\.stub is no template/) })
    expect((await project.run(['new', 'first', '--kind', 'enable'])).code).toBe(0)
  })
})

describeOnOneServer('a pending migration that comes before applied ones', (database) => {
  test('is out of order to status and up, in text and as JSON', async () => {
    const project = await createProject({
      'knexfile.js': `module.exports = { client: 'pg', connection: process.env.DATABASE_URL }`,
      'migrations/001_first.js': table('first'),
      'migrations/003_third.js': table('third'),
    })
    const run = (...flags: string[]): ReturnType<typeof project.run> =>
      project.run(flags, { DATABASE_URL: database().url ?? '' })
    await run('up')
    await project.write('migrations/002_second.js', table('second'))
    await project.write('migrations/004_fourth.js', table('fourth'))
    const { stdout } = await run('status')
    expect(stdout).toMatch(
      /002_second\.js: PENDING, OUT OF ORDER\n.*003_third\.js: APPLIED\n.*004_fourth\.js: PENDING\n/,
    )
    expect(stdout).toMatch(/Next: check that 002_second\.js can run after 003_third\.js/)
    const { migrations } = JSON.parse((await run('status', '--json')).stdout) as {
      migrations: { name: string; isOutOfOrder: boolean }[]
    }
    expect(migrations.filter(({ isOutOfOrder }) => isOutOfOrder).map(({ name }) => name)).toEqual(['002_second.js'])
    expect((await run('up', '--dry-run')).stdout).toMatch(
      /^would apply 002_second\.js, out of order\nwould apply 004_fourth\.js\n/,
    )
    expect(JSON.parse((await run('up', '--dry-run', '--json')).stdout)).toMatchObject({ outOfOrder: ['002_second.js'] })
    const up = await run('up')
    expect(up).toMatchObject({ code: 0, stderr: expect.stringContaining('Applied out of order: 002_second.js') })
  })
})
