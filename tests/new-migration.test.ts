import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'

import fc from 'fast-check'

import { migrationSource } from '../src/index.ts'
import { createMigrator, newMigration, type NewMigrationOptions } from '../src/migrator.ts'
import { migrationKinds } from '../src/scaffold/templates.ts'
import { describeEmbedded, describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { silenceConsole } from './support/migrations.ts'
import { createProject, migrationOf } from './support/project.ts'
import { removeTemporaryFolders, temporaryFolder } from './support/temporary.ts'
import { typeErrorsOf } from './support/type-errors.ts'

afterEach(removeTemporaryFolders)

/** A folder with these migrations, which are empty but for what tells the language of JavaScript. */
async function folderWith(files: readonly string[], content = 'exports.up = 1'): Promise<string> {
  const folder = await temporaryFolder()
  await Promise.all(files.map((file) => writeFile(join(folder, file), content)))
  return folder
}

describe('a new migration', () => {
  test.each([
    ['nothing', [], '001_add_tags.ts'],
    ['three digits', ['001_a.ts', '002_b.ts'], '003_add_tags.ts'],
    ['four digits', ['0009_a.ts'], '0010_add_tags.ts'],
    ['a gap', ['001_a.ts', '007_b.ts'], '008_add_tags.ts'],
    ['JavaScript', ['001_a.js'], '002_add_tags.js'],
    ['other files', ['001_a.ts', '001_a.d.ts', 'README.md', '099.sql'], '002_add_tags.ts'],
    ['a time that is to come', ['29990101000000_a.ts'], '29990101000001_add_tags.ts'],
  ])('is numbered as the others are where the folder has %s', async (_what, files, expected) => {
    const { path } = await newMigration('add_tags', { directory: await folderWith(files) })
    expect(basename(path)).toBe(expected)
  })

  test('has the time for its number where the others have one', async () => {
    const before = new Date()
    const { name } = await newMigration('add_tags', { directory: await folderWith(['20260101000000_a.ts']) })
    const [, year, month, day, hour, minute, second] =
      /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)_add_tags$/.exec(name) ?? []
    const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
    expect(time).toBeGreaterThanOrEqual(Math.floor(before.getTime() / 1000) * 1000)
    expect(time).toBeLessThanOrEqual(Date.now())
  })

  test.each([
    ['Add Tags', 'add_tags'],
    ['addTagsToDocuments', 'add_tags_to_documents'],
    ['  über-größe!  ', 'uber_gro_e'],
    ['007_add_tags', 'add_tags'],
    ['2fa_tokens', '2fa_tokens'],
  ])('is called %s in snake case', async (given, expected) => {
    expect((await newMigration(given, { directory: await temporaryFolder() })).name).toBe(`001_${expected}`)
  })

  test('always sorts after those that are there', async () => {
    await fc.assert(
      fc.asyncProperty(fc.bigInt({ min: 0n, max: 9_998n }), fc.integer({ min: 4, max: 14 }), async (number, width) => {
        const last = `${String(number).padStart(width, '0')}_last`
        const { name } = await newMigration('next', { directory: await folderWith([`${last}.ts`]) })
        expect([name, last].toSorted()).toEqual([last, name])
      }),
      { numRuns: 30 },
    )
  })

  test('refuses a name that is taken, and writes nothing', async () => {
    const directory = await folderWith(['001_add_tags.ts'])
    const error = await expectError('MIGRATION_EXISTS', () => newMigration('Add tags', { directory }))
    expect(error.details).toEqual({ name: 'add_tags', path: join(directory, '001_add_tags.ts') })
    expect(await readdir(directory)).toEqual(['001_add_tags.ts'])
  })

  test.each([
    ['without letters', '!?', []],
    ['that is too long', 'x'.repeat(201), []],
    ['that would run before the others, because the digits are used up', 'next', ['999_last.ts']],
  ])('refuses a name %s', async (_what, name, files) => {
    const directory = await folderWith(files)
    await expectError('INVALID_OPTIONS', () => newMigration(name, { directory }))
    expect(await readdir(directory)).toEqual(files)
  })

  test('makes the folder where it does not exist', async () => {
    const directory = join(await temporaryFolder(), 'database', 'migrations')
    await newMigration('first', { directory })
    expect(await readdir(directory)).toEqual(['001_first.ts'])
  })

  test('is written with import and export, or with require, as the others are', async () => {
    const modules = await newMigration('x', {
      directory: await folderWith(['1_a.js'], 'export const up = 1'),
      kind: 'enable',
    })
    expect(await readFile(modules.path, 'utf8')).toMatch(
      /^import \{ dropPgvector, ensurePgvector \} from 'knex-pgvector'/,
    )
    const commonjs = await newMigration('x', { directory: await folderWith(['1_a.js']), kind: 'enable' })
    expect(await readFile(commonjs.path, 'utf8')).toMatch(/= require\('knex-pgvector'\)/)
  })

  test('compiles, whatever it begins with', async () => {
    const directory = await temporaryFolder()
    const texts: string[] = []
    for (const kind of migrationKinds) {
      texts.push(await readFile((await newMigration(kind, { directory, kind })).path, 'utf8'))
    }
    expect(typeErrorsOf(texts)).toEqual([])
  })
})

const documents = {
  ts: `
    import type { Knex } from 'knex'
    export const up = (knex: Knex) => knex.raw('create table documents (id int)')
    export const down = (knex: Knex) => knex.raw('drop table documents')`,
  js: migrationOf('create table documents (id int)', 'drop table documents'),
} as const

describeEmbedded('a new migration', (database) => {
  silenceConsole()

  test.each(['ts', 'js'] as const)('in .%s can be applied and undone, whatever it begins with', async (extension) => {
    const project = await createProject({ [`migrations/001_documents.${extension}`]: documents[extension] })
    const directory = join(project.folder, 'migrations')
    for (const kind of migrationKinds) await newMigration(kind, { directory, kind })
    const migrator = createMigrator(database().knex, { migrationSource: migrationSource({ directory }) })
    // The index is built last, and the column before it.
    const { skipped } = await migrator.up({ to: '003' })
    expect(skipped).toEqual(['004_column', '005_index'])
    await migrator.up()
    expect((await migrator.down({ steps: 5 })).migrations).toHaveLength(5)
    expect((await migrator.up()).migrations).toHaveLength(5)
  })

  test('of an index replaces what a build that was stopped left behind', async () => {
    const { knex } = database()
    const project = await createProject({ 'migrations/001_documents.js': documents.js })
    const directory = join(project.folder, 'migrations')
    for (const kind of ['enable', 'column', 'index'] as const) await newMigration(kind, { directory, kind })
    const migrator = createMigrator(knex, { migrationSource: migrationSource({ directory }) })
    await migrator.up({ to: '003' })
    const index = 'documents_embedding_hnsw_cosine_idx'
    await knex.raw(`create index ${index} on documents using hnsw (embedding vector_cosine_ops)`)
    await knex.raw(`update pg_index set indisvalid = false where indexrelid = '${index}'::regclass`)
    await migrator.up()
    const { rows } = await knex.raw<{ rows: [{ definition: string; valid: boolean }] }>(`
      select pg_get_indexdef(indexrelid) as definition, indisvalid as valid from pg_index
      where indexrelid = '${index}'::regclass`)
    expect(rows[0]).toEqual({ definition: expect.stringContaining('USING hnsw'), valid: true })
  })
})

const withOld = { 'old/007_old.js': 'exports.up = 1', 'database/migrations/.gitkeep': '' }

const esm = '{ "type": "module" }'
const plain = '{ "name": "app" }'
const withTypeScript = '{ "devDependencies": { "typescript": "^6" } }'
const languages = {
  typescript: /^import type \{ Knex \} from 'knex'/,
  module: /^import \{ dropPgvector, ensurePgvector \} from 'knex-pgvector'\n[^]*^export async function up\(knex\) /m,
  commonjs: /^const \{ dropPgvector, ensurePgvector \} = require\('knex-pgvector'\)\n/,
} as const

describe('the first migration of a project', () => {
  test.each([
    ['in JavaScript', { 'package.json': plain }, {}, '.js', 'commonjs'],
    ['of ES modules', { 'package.json': esm }, {}, '.js', 'module'],
    ['that depends on TypeScript', { 'package.json': withTypeScript }, {}, '.ts', 'typescript'],
    ['with a tsconfig.json', { 'package.json': plain, 'tsconfig.json': '{}' }, {}, '.ts', 'typescript'],
    ['with a broken package.json', { 'package.json': '{' }, {}, '.js', 'commonjs'],
    ['with knexfile.ts', { 'package.json': plain, 'knexfile.ts': '' }, {}, '.ts', 'typescript'],
    ['with knexfile.mts', { 'package.json': esm, 'knexfile.mts': '' }, {}, '.ts', 'typescript'],
    [
      'with knexfile.js, which Knex follows too',
      { 'package.json': withTypeScript, 'knexfile.js': '' },
      {},
      '.js',
      'commonjs',
    ],
    ['of ES modules with knexfile.cjs', { 'package.json': esm, 'knexfile.cjs': '' }, {}, '.cjs', 'commonjs'],
    ['with knexfile.mjs, as Knex finds no .mjs', { 'package.json': plain, 'knexfile.mjs': '' }, {}, '.js', 'commonjs'],
    ['that is told .mjs', { 'package.json': plain }, { extension: 'mjs' }, '.mjs', 'module'],
    ['that is told of a stub', { 'package.json': esm }, { extension: 'ts-schema' }, '.ts', 'typescript'],
    [
      'that is told a language that is not written here',
      { 'package.json': plain },
      { extension: 'coffee' },
      '.js',
      'commonjs',
    ],
    ['that loads .mjs alone', { 'package.json': plain }, { loadExtensions: ['.mjs'] }, '.mjs', 'module'],
    ['whose knexfile is elsewhere', { 'package.json': plain }, { knexfile: 'config/knexfile.ts' }, '.ts', 'typescript'],
  ] as const)('%s is written so that it can run there', async (_what, files, options, extension, language) => {
    const { folder } = await createProject(files)
    const directory = join(folder, 'database', 'migrations')
    const { path } = await newMigration('first', { directory, kind: 'enable', ...options })
    expect(basename(path)).toBe(`001_first${extension}`)
    expect(await readFile(path, 'utf8')).toMatch(languages[language])
  })

  test('is followed by others like it, unless Knex is configured for another extension or finds only others', async () => {
    const { folder } = await createProject({
      'package.json': esm,
      'migrations/001_a.ts': '',
      'migrations/002_b.cjs': '',
    })
    const directory = join(folder, 'migrations')
    const written = async (name: string, options: Partial<NewMigrationOptions>): Promise<string> => {
      const { path } = await newMigration(name, { directory, kind: 'enable', ...options })
      return `${basename(path)} ${Object.entries(languages).find(([, begin]) => begin.test(readFileSync(path, 'utf8')))?.[0]}`
    }
    expect(await written('c', {})).toBe('003_c.cjs commonjs')
    expect(await written('d', { extension: '.js' })).toBe('004_d.js module')
    expect(await written('e', { loadExtensions: ['.ts'] })).toBe('005_e.ts typescript')
  })
})

describeOnServers('the first migration that knex-pgvector new writes', (database) => {
  const config = (head: string, migrations = ''): string =>
    `${head} { client: 'pg', connection: process.env.DATABASE_URL, migrations: { ${migrations} } }`

  test.each([
    ['knexfile.js', plain, config('module.exports ='), '001_first.js'],
    ['knexfile.js', esm, config('export default'), '001_first.js'],
    ['knexfile.cjs', esm, config('module.exports ='), '001_first.cjs'],
    ['knexfile.mjs', plain, config('export default'), '001_first.js'],
    ['knexfile.mjs', plain, config('export default', "loadExtensions: ['.mjs'], extension: 'mjs'"), '001_first.mjs'],
    ['knexfile.mjs', plain, config('export default', "loadExtensions: ['.mjs']"), '001_first.mjs'],
  ])('with %s of %s is run by stock Knex, whatever it begins with', async (knexfile, manifest, content, name) => {
    const project = await createProject({ 'package.json': manifest, [knexfile]: content })
    await symlink(join(__dirname, '../node_modules/knex'), join(project.folder, 'node_modules/knex'), 'junction')
    await symlink(join(__dirname, '../node_modules/pg'), join(project.folder, 'node_modules/pg'), 'junction')
    expect(await project.run(['new', 'first', '--kind', 'enable'])).toMatchObject({
      stdout: `✓ ${join('migrations', name)}\n`,
    })
    await database().knex.raw('create table documents (id int)')
    for (const kind of ['column', 'index', 'blank']) await project.run(['new', kind, '--kind', kind])
    const env = { ...process.env, DATABASE_URL: database().url ?? '' }
    const cli = join(project.folder, 'node_modules/knex/bin/cli.js')
    const { stdout } = await promisify(execFile)(process.execPath, [cli, 'migrate:latest', '--knexfile', knexfile], {
      cwd: project.folder,
      env,
    })
    expect(stdout).toMatch(/^Batch 1 run: 4 migrations$/m)
  })
})

describe('knex-pgvector new', () => {
  test.each([
    ['that is missing', {}, ['database', 'migrations']],
    ['that is empty', { 'database/migrations/.gitkeep': '' }, ['database', 'migrations']],
    ['whose migrations are elsewhere', withOld, ['old']],
  ])('writes into the folder of a migration source %s', async (_what, files, folder) => {
    const project = await createProject({
      'knexfile.js': `
        const { migrationSource } = require('knex-pgvector')
        const directory = [${files === withOld ? "'old', " : ''}'database/migrations']
        module.exports = { client: 'pg', migrations: { migrationSource: migrationSource({ directory }) } }`,
      ...files,
    })
    const { code, stdout } = await project.run(['new', 'add tags'])
    const name = files === withOld ? '008_add_tags.js' : '001_add_tags.js'
    expect({ code, stdout }).toEqual({ code: 0, stdout: `✓ ${join(...folder, name)}\n` })
  })

  test('writes into the folder that the knexfile names, and needs no database', async () => {
    const project = await createProject({
      'knexfile.js': `module.exports = { client: 'pg', migrations: { directory: ['old', 'database/migrations'] } }`,
      'old/001_old.js': 'exports.up = 1',
    })
    const { code, stdout } = await project.run(['new', 'add tags'])
    expect({ code, stdout }).toEqual({ code: 0, stdout: `✓ ${join('database', 'migrations', '001_add_tags.js')}\n` })
  })
})
