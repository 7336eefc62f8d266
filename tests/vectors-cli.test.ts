import { diffVectors, embedding, ensurePgvector, setUpInStep, vectorColumn } from '../src/index.ts'
import { diagnose } from '../src/doctor.ts'
import type { CliResult } from './support/cli.ts'
import { describeOnEveryDatabase, describeOnOneServer, type TestDatabase } from './support/databases.ts'
import { createProject, knexfile } from './support/project.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

afterEach(removeTemporaryFolders)

const column = vectorColumn('articles', 'embedding', { dimensions: 3 })
const articles = embedding('articles', { column, from: ['title'], model: 'small-3' })

const declared = `
  import { embedding, vectorColumn } from 'knex-pgvector'

  const column = vectorColumn('articles', 'embedding', { dimensions: 3 })
  export const articles = embedding('articles', {
    column,
    from: ['title'],
    model: 'small-3',
    embed: async (rows) => rows.map(({ title }) => (title === 'refused' ? null : [title.length, 0, 1])),
  })
`

async function withArticles({ knex, url }: TestDatabase): Promise<(...flags: string[]) => Promise<CliResult>> {
  await createArticles({ knex })
  await setUpInStep(knex, articles, { logger: false })
  const { run } = await createProject({ 'knexfile.js': knexfile, 'vectors.ts': declared })
  return (...flags) => run(['vectors', ...flags, '--declared', 'vectors.ts'], { DATABASE_URL: url ?? '' })
}

async function createArticles({ knex }: Pick<TestDatabase, 'knex'>): Promise<void> {
  await ensurePgvector(knex, { logger: false })
  await knex.raw(`create table articles (id int primary key, title text, embedding vector(3));
    insert into articles (id, title) values (1, 'one'), (2, 'three'), (3, 'refused')`)
}

describeOnOneServer('knex-pgvector vectors', (database) => {
  test('shows what is stale, makes the vectors, verifies them, and tries failed rows again', async () => {
    const { knex } = database()
    const run = await withArticles(database())
    expect(await run('status')).toMatchObject({
      code: 3,
      stdout: '⚠ articles.embedding: 0 stale, 3 missing, 0 failed\n',
    })
    const made = await run('work', '--json')
    expect(made.code).toBe(3)
    expect(JSON.parse(made.stdout)).toMatchObject([{ name: 'articles.embedding', filled: 2, missing: 1, failed: 1 }])
    await knex('articles').where({ id: 3 }).update({ title: 'better' })
    expect(await run('work')).toMatchObject({ code: 0, stdout: '✓ articles.embedding: 1 vector generated; in step\n' })
    expect((await run('status')).code).toBe(0)
    await knex.raw(`set session_replication_role = replica; update articles set title = 'silent' where id = 1;
      reset session_replication_role`)
    const found = await run('verify', '--mark')
    expect(found).toMatchObject({ code: 3 })
    expect(found.stdout).toContain('✗ articles.embedding: 3 checked, 1 wrong, 0 stale, 0 unknown\n    1\n')
    expect((await run('work')).code).toBe(0)
    expect(await run('verify')).toMatchObject({ code: 0 })
    expect((await run('retry')).stdout).toBe('✓ articles.embedding: 0 rows will be tried again\n')
    expect((await run('sleep')).code).toBe(2)
  })
})

describeOnEveryDatabase('a declared embedding', (database) => {
  test('is a difference while its trigger is missing or altered', async () => {
    const { knex } = database()
    await createArticles(database())
    const differences = (): Promise<unknown> => diffVectors(knex, { columns: [], indexes: [], embeddings: [articles] })
    expect(await differences()).toMatchObject([{ kind: 'not kept in step', name: 'articles.embedding' }])
    await setUpInStep(knex, articles, { logger: false })
    expect(await differences()).toEqual([])
    await knex.raw('alter table articles disable trigger articles__embedding__mark')
    expect(await differences()).toMatchObject([{ problems: ['trigger "articles__embedding__mark" is disabled'] }])
  })

  test('has a line in a diagnosis: with what waits, what failed, and a trigger that is disabled', async () => {
    const { knex } = database()
    await createArticles(database())
    const lines = async (): Promise<unknown> =>
      (await diagnose(knex, {}))
        .filter(({ check }) => check === 'embeddings')
        .map(({ level, message }) => [level, message])
    expect(await lines()).toEqual([])
    await setUpInStep(knex, articles, { logger: false })
    await knex('articles').where({ id: 1 }).update({ title: 'edited' })
    expect(await lines()).toEqual([['ok', 'articles.embedding is kept in step: 1 mark waits for a worker']])
    await knex.raw(`insert into articles__embedding__claims (key_1, due_at) values (2, 'infinity')`)
    expect(await lines()).toEqual([
      ['warning', 'articles.embedding: the vectors of 1 row could not be made; 1 mark waits for a worker'],
    ])
    await knex.raw('alter table articles disable trigger articles__embedding__mark')
    expect(await lines()).toEqual([
      ['error', 'articles.embedding is not kept in step: no enabled trigger marks its rows'],
    ])
  })
})
