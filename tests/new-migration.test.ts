import { readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'

import fc from 'fast-check'

import { createMigrator, migrationSource, newMigration } from '../src/index.ts'
import { migrationKinds } from '../src/runner/migration-templates.ts'
import { describeEmbedded } from './support/databases.ts'
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
    const name = files === withOld ? '008_add_tags.js' : '001_add_tags.ts'
    expect({ code, stdout }).toEqual({ code: 0, stdout: `✓ ${join(...folder, name)}\n` })
  })

  test('writes into the folder that the knexfile names, and needs no database', async () => {
    const project = await createProject({
      'knexfile.js': `module.exports = { client: 'pg', migrations: { directory: ['old', 'database/migrations'] } }`,
      'old/001_old.js': 'exports.up = 1',
    })
    const { code, stdout } = await project.run(['new', 'add tags'])
    expect({ code, stdout }).toEqual({ code: 0, stdout: `✓ ${join('database', 'migrations', '001_add_tags.ts')}\n` })
  })
})
