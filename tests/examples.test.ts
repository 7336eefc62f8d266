import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'

import { describeOnServers, describeWithoutPgvector } from './support/databases.ts'
import { examples, linesMissing, prepared, runReadme } from './support/examples.ts'
import { run } from './support/run.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

// npm installs real packages here, on a machine that may be busy.
jest.setTimeout(4 * 60_000)

afterAll(removeTemporaryFolders)

test('every example has a test here', async () => {
  expect((await readdir(examples)).toSorted()).toEqual([
    '1-enable-in-a-migration',
    '10-keep-in-step',
    '11-many-customers',
    '2-ensure-at-boot',
    '3-tests-on-pglite',
    '4-release-pipeline',
    '5-docker-compose',
    '6-change-the-model',
    '7-objection',
    '8-adonisjs-lucid',
    '9-backstage',
  ])
})

describe('the example 1-enable-in-a-migration', () => {
  test('does on the embedded database what its README says', async () => {
    const { output, promised } = await runReadme('1-enable-in-a-migration')
    expect(linesMissing(promised, output)).toEqual([])
  })
})

describeOnServers('the example 1-enable-in-a-migration', (database) => {
  test('does the same on a server, and leaves nothing behind', async () => {
    const { output, promised } = await runReadme('1-enable-in-a-migration', { database })
    expect(linesMissing(promised.replace(', PGlite', ''), output)).toEqual([])
    expect(await database().knex('pg_extension').where({ extname: 'vector' })).toEqual([])
  })
})

describeOnServers('the example 2-ensure-at-boot', (database) => {
  test('starts three replicas at once, of which one enables pgvector', async () => {
    const { output, promised } = await runReadme('2-ensure-at-boot', { database })
    expect(linesMissing(promised, output)).toEqual([])
    expect(output.match(/^port \d+: pgvector \S+ \w+$/gm)).toHaveLength(3)
    expect(output.match(/ created$/gm)).toHaveLength(1)
    expect(output.match(/ unchanged$/gm)).toHaveLength(2)
  })
})

describeWithoutPgvector('the example 2-ensure-at-boot', (database) => {
  test('says how to install pgvector where the server lacks it, and ends with the exit code 1', async () => {
    const { output } = await runReadme('2-ensure-at-boot', { database, exitCode: 1 })
    expect(output).toContain('pgvector extension not available. Ensure postgresql-17-pgvector is installed\n')
    expect(output).toContain('On the database server: apt install postgresql-17-pgvector')
    expect(output).toContain('docs/errors.md#pgvector_not_available\n')
    expect(output).toContain('stopped with the exit codes 1, 1, 1\n')
  })
})

describe('the example 3-tests-on-pglite', () => {
  test('is type-checked and passes its own tests', async () => {
    const { output, promised } = await runReadme('3-tests-on-pglite')
    expect(linesMissing(promised, output)).toEqual([])
  })
})

describeOnServers('the example 4-release-pipeline', (database) => {
  test('plans, rehearses and applies, and then has nothing left to release', async () => {
    const { output, promised } = await runReadme('4-release-pipeline', { database })
    expect(linesMissing(promised, output)).toEqual([])
    const applied = await database().knex('knex_migrations').orderBy('id').pluck('name')
    expect(applied).toEqual(['001_documents', '002_embedding', '003_embedding_index'])
  })

  test('ends with the exit codes that its README explains', async () => {
    const app = await prepared('4-release-pipeline')
    const env = { DATABASE_URL: database().url ?? '' }
    const codeOf = async (...words: readonly string[]): Promise<number | null> =>
      (await run('npx', ['knex-pgvector', ...words], { cwd: app, env })).code
    expect(await codeOf('status', '--exit-code')).toBe(3)
    await database().knex.schema.createTable('documents', (table) => void table.increments())
    expect(await codeOf('up')).toBe(2)
    await database().knex.schema.dropTable('documents')
    expect(await codeOf('up')).toBe(0)
    await database().knex.raw(
      `update pg_index set indisvalid = false where indexrelid = 'documents_embedding'::regclass`,
    )
    expect(await codeOf('doctor')).toBe(3)
    const usage = await run('bash', ['release.sh', 'deplo'], { cwd: app, env })
    expect(usage).toMatchObject({ code: 64, stderr: 'usage: bash release.sh review | script | rehearse | deploy\n' })
  })
})

describeWithoutPgvector('the example 4-release-pipeline', (database) => {
  test('ends at the rehearsal, with the exit code 2 and what to do, where the server lacks pgvector', async () => {
    const { output } = await runReadme('4-release-pipeline', { database, exitCode: 2 })
    expect(output).toContain('pgvector extension not available. Ensure postgresql-17-pgvector is installed')
    expect(output).toContain('Rolled back: nothing was changed\n')
    expect(await database().knex.schema.hasTable('documents')).toBe(false)
  })
})

describe('the example 4-release-pipeline', () => {
  test('has a workflow that runs the steps of release.sh', async () => {
    const workflow = await readFile(join(examples, '4-release-pipeline/.github/workflows/release.yml'), 'utf8')
    const steps = Array.from(workflow.matchAll(/run: bash release\.sh (\w+)$/gm), ([, step]) => step)
    expect(steps).toEqual(['review', 'rehearse', 'deploy'])
  })

  test.each([
    'examples/4-release-pipeline/.github/workflows/release.yml',
    '.github/workflows/ci.yml',
    '.github/workflows/release.yml',
  ])('pins every action by its commit, and installs from a lockfile: %s', async (path) => {
    const workflow = await readFile(join(examples, '..', path), 'utf8')
    const actions = Array.from(workflow.matchAll(/uses: (\S+)/g), ([, action = '']) => action)
    expect(actions.filter((action) => !/@[0-9a-f]{40}$/.test(action))).toEqual([])
    expect(workflow).not.toMatch(/npm (install|i)\b/)
  })

  test('gives the review of a pull request no secret, and stores nothing', async () => {
    const workflow = await readFile(join(examples, '4-release-pipeline/.github/workflows/release.yml'), 'utf8')
    const [, review = ''] = /^  review:\n(.*?)^  \w+:\n/ms.exec(workflow) ?? []
    expect(review).toContain('run: bash release.sh review')
    expect(review).not.toMatch(/secrets\.|environment:/)
    expect(workflow).not.toMatch(/upload-artifact|pull_request_target/)
  })
})

describe('the example 6-change-the-model', () => {
  test('does on the embedded database what its README says', async () => {
    const { output, promised } = await runReadme('6-change-the-model')
    expect(linesMissing(promised, output)).toEqual([])
  })
})

describeOnServers('the example 6-change-the-model', (database) => {
  test('does the same on a server, and leaves only the column of the new model', async () => {
    const { output, promised } = await runReadme('6-change-the-model', { database })
    expect(linesMissing(promised, output)).toEqual([])
    expect(Object.keys(await database().knex('documents').columnInfo())).toEqual([
      'id',
      'title',
      'embedding_large',
      'embedding_large__hash',
    ])
    expect(await database().knex('documents').whereNull('embedding_large')).toEqual([])
  })
})

describeOnServers('the example 7-objection', (database) => {
  test('searches the rows of a model whose columns have other names in the database, and leaves nothing behind', async () => {
    const { output, promised } = await runReadme('7-objection', { database })
    expect(linesMissing(promised, output)).toEqual([])
    expect(await database().knex.schema.hasTable('help_articles')).toBe(false)
    expect(await database().knex('pg_extension').where({ extname: 'vector' })).toEqual([])
  })
})

describeOnServers('the example 8-adonisjs-lucid', (database) => {
  test("migrates, searches and rolls back with Lucid's own runner, and leaves nothing behind", async () => {
    const { output, promised } = await runReadme('8-adonisjs-lucid', { database })
    expect(linesMissing(promised, output)).toEqual([])
    expect(await database().knex('adonis_schema')).toEqual([])
    expect(await database().knex.schema.hasTable('documents')).toBe(false)
    expect(await database().knex('pg_extension').where({ extname: 'vector' })).toEqual([])
  })
})

describeOnServers('the example 9-backstage', (database) => {
  test('shares one extension between two plugins, of which one is rolled back', async () => {
    const { output, promised } = await runReadme('9-backstage', { database })
    expect(linesMissing(promised, output)).toEqual([])
    expect(output.match(/^techdocs: Deploy a service/gm)).toHaveLength(2)
    const { knex } = database()
    const schemas = await knex('pg_extension')
      .where({ extname: 'vector' })
      .select(knex.raw('extnamespace::regnamespace::text'))
    expect(schemas).toEqual([{ extnamespace: 'extensions' }])
    expect(await knex.withSchema('catalog').from('knex_migrations')).toEqual([])
    expect(await knex.withSchema('techdocs').from('knex_migrations').pluck('name')).toHaveLength(2)
    expect(await knex.schema.withSchema('catalog').hasTable('entities')).toBe(false)
  })
})

describe('the example 10-keep-in-step', () => {
  test('does on the embedded database what its README says', async () => {
    const { output, promised } = await runReadme('10-keep-in-step')
    expect(linesMissing(promised, output)).toEqual([])
  })
})

describeOnServers('the example 10-keep-in-step', (database) => {
  test('does the same on a server, where no mark is left', async () => {
    const { output, promised } = await runReadme('10-keep-in-step', { database })
    expect(linesMissing(promised, output)).toEqual([])
    expect(await database().knex('articles__embedding__marks')).toEqual([])
  })
})

describeOnServers('the example 11-many-customers', (database) => {
  test('releases to all customers, repairs the one that fails, and adds another one', async () => {
    const { output, promised } = await runReadme('11-many-customers', { database })
    expect(linesMissing(promised, output)).toEqual([])
    const { knex } = database()
    expect(await knex('pg_constraint').where({ conname: 'documents_title_key' }).pluck('contype')).toHaveLength(51)
    expect(await knex('customer_07.documents').pluck('title')).toHaveLength(3)
  })
})
