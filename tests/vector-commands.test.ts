import { existsSync } from 'node:fs'

import { ensurePgvector, type ListedIndex, type IndexBuild, type VectorDifference } from '../src/index.ts'
import { startHeld } from './support/phases.ts'
import type { CliResult } from './support/cli.ts'
import { describeOnServers, type TestDatabase } from './support/databases.ts'
import { createProject, knexfile, type Project } from './support/project.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

afterEach(removeTemporaryFolders)

const declared = `
  import { vectorColumn, vectorIndex } from 'knex-pgvector'

  export const embedding = vectorColumn('documents', 'embedding', { dimensions: 3 })
  export const indexes = [vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })]
`

const index = 'documents_embedding_hnsw_cosine_idx'

async function project(files: Readonly<Record<string, string>> = {}): Promise<Project> {
  return createProject({ 'knexfile.js': knexfile, 'vectors.ts': declared, ...files })
}

async function withDocuments(database: TestDatabase): Promise<{ run: (...flags: string[]) => Promise<CliResult> }> {
  await ensurePgvector(database.knex, { logger: false })
  await database.knex.raw(`
    create table documents (id int, embedding vector(3));
    insert into documents select n, array[n, 1, 2] from generate_series(1, 200) n;
    analyze documents`)
  const { run } = await project()
  return { run: (...flags) => run(flags, { DATABASE_URL: database.url ?? '' }) }
}

describeOnServers('knex-pgvector index', (database) => {
  test('builds what is declared, once, and lists it', async () => {
    const { run } = await withDocuments(database())
    const built = await run('index', 'build', '--declared', 'vectors.ts')
    expect(built.code).toBe(0)
    expect(built.stdout).toMatch(new RegExp(`^✓ ${index}: built in \\d+\\.\\d s\n$`))
    expect((await run('index', 'build', '--declared', 'vectors.ts')).stdout).toBe(`✓ ${index}: was there\n`)
    const { code, stdout } = await run('index', 'list')
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^✓ +public\\.${index} +public\\.documents +hnsw +\\d+ kB +fits +\\d+ +`, 'm'))
    expect(stdout).toContain('USING hnsw (embedding vector_cosine_ops)')
    const [listed] = JSON.parse((await run('index', 'list', '--json')).stdout) as ListedIndex[]
    expect(listed).toMatchObject({ name: `public.${index}`, isValid: true, rows: 200, isQuickToRebuild: true })
  })

  test('exits with 3 on an index that is not valid, and repairs it', async () => {
    const { knex } = database()
    const { run } = await withDocuments(database())
    await run('index', 'build', '--declared', 'vectors.ts')
    await knex.raw(`update pg_index set indisvalid = false where indexrelid = '${index}'::regclass`)
    await knex.raw(`create index ${index}_ccnew on documents using hnsw (embedding vector_cosine_ops)`)
    await knex.raw(`update pg_index set indisvalid = false where indexrelid = '${index}_ccnew'::regclass`)
    const broken = await run('index', 'list')
    expect(broken.code).toBe(3)
    expect(broken.stdout).toContain('npx knex-pgvector index repair')
    const repaired = await run('index', 'repair')
    expect(repaired).toMatchObject({
      code: 0,
      stdout: `✓ public.${index}: rebuilt\n✓ public.${index}_ccnew: dropped, a REINDEX had left it\n`,
    })
    expect((await run('index', 'list')).code).toBe(0)
    expect((await run('index', 'repair')).stdout).toBe('Every index is valid\n')
    expect(await knex('pgvector_migration_log').orderBy('id').pluck('event')).toEqual([
      'enabled',
      'index begun',
      'index built',
      'index dropped',
      'index rebuilt',
    ])
  })

  test('shows a build that runs, and whom it waits for', async () => {
    const { knex } = database()
    const { run } = await withDocuments(database())
    expect((await run('index', 'progress')).stdout).toBe('No index is being built\n')
    const { build: building, release } = await startHeld(knex, 'insert into documents values (0, null)', () =>
      run('index', 'build', '--declared', 'vectors.ts'),
    )
    const { rows } = await knex.raw(
      `select pid from pg_locks where relation = 'documents'::regclass and mode = 'RowExclusiveLock'`,
    )
    let running: IndexBuild[] = []
    while (running.length === 0) running = JSON.parse((await run('index', 'progress', '--json')).stdout)
    expect(running[0]).toMatchObject({
      table: 'documents',
      command: 'CREATE INDEX CONCURRENTLY',
      phase: 'waiting for writers before build',
    })
    const { stdout } = await run('index', 'progress')
    expect(stdout).toContain(`waits for process ${rows[0].pid}`)
    await release()
    const built = await building
    expect(built.code).toBe(0)
    expect(built.stderr).toContain(`(process ${rows[0].pid} of the server)`)
  })

  test('builds only what --only names, and reports what is wrong with it', async () => {
    const { run } = await withDocuments(database())
    const unknown = await run('index', 'build', '--declared', 'vectors.ts', '--only', 'another')
    expect(unknown.code).toBe(2)
    expect(unknown.stderr).toContain(`--only: declared are ${index}, not another`)
    expect((await run('index', 'build')).stderr).toContain('--declared: name the module')
    expect((await run('index', 'build', '--declared', 'nothing.ts')).stderr).toContain('nothing.ts cannot be loaded')
    expect((await run('index', 'build', '--declared', 'knexfile.js')).stderr).toContain('exports nothing that')
    expect((await run('index', 'paint')).stderr).toContain(
      'action: must be one of list, build, tenants, progress, repair',
    )
    expect((await run('index', 'build', '--declared', 'vectors.ts', '--max-memory', 'much')).code).toBe(2)
  })

  test('stops when it is interrupted, and the next one finishes', async () => {
    const { connect, url, knex } = database()
    await withDocuments(database())
    const { start, run } = await project()
    const env = { DATABASE_URL: url ?? '' }
    const writer = await connect().transaction()
    await writer.raw('insert into documents values (0, null)')
    const { process: child, result } = start(['index', 'build', '--declared', 'vectors.ts'], env)
    child.stderr?.once('data', () => child.kill('SIGINT'))
    const stopped = await result
    await writer.commit()
    expect(stopped.code).toBe(130)
    expect((await run(['index', 'build', '--declared', 'vectors.ts'], env)).code).toBe(0)
    const { rows } = await knex.raw(`select indisvalid from pg_index where indrelid = 'documents'::regclass`)
    expect(rows).toEqual([{ indisvalid: true }])
  })
})

describeOnServers('knex-pgvector diff', (database) => {
  test('shows the drift from the declaration, and writes the migration that ends it', async () => {
    const { knex, url } = database()
    await ensurePgvector(knex, { logger: false })
    await knex.raw('create table documents (id int, old vector(2))')
    const { run } = await project({
      'migrations/001_old.js': 'exports.up = exports.down = async () => undefined',
    })
    const env = { DATABASE_URL: url ?? '' }
    const before = await run(['diff', '--declared', 'vectors.ts', '--exit-code'], env)
    expect(before).toMatchObject({ code: 3, stderr: '' })
    expect(before.stdout.split('\n').slice(0, 4)).toEqual([
      '✗ column missing: documents.embedding',
      `✗ index missing: ${index}`,
      '⚠ column not declared: public.documents.old',
      '    there is: vector(2)',
    ])
    const made = await run(['new', '--from-diff', 'vectors', '--declared', 'vectors.ts'], env)
    expect(made).toMatchObject({ code: 0, stdout: '✓ migrations/002_vectors.js\n' })
    const again = await run(['new', '--from-diff', 'more_vectors', '--declared', 'vectors.ts'], env)
    expect(again).toMatchObject({ code: 2, stdout: '' })
    expect(again.stderr).toMatch(/MIGRATION_EXISTS[^]*It is pending and creates the same\. Apply it/)
    expect((await run(['up'], env)).code).toBe(0)
    const after = await run(['diff', '--declared', 'vectors.ts', '--exit-code', '--json'], env)
    expect(after.code).toBe(0)
    expect((JSON.parse(after.stdout) as VectorDifference[]).map(({ kind }) => kind)).toEqual(['column not declared'])
    await knex.raw('alter table documents drop column old')
    expect(await run(['new', '--from-diff', 'again', '--declared', 'vectors.ts'], env)).toMatchObject({
      code: 0,
      stdout: 'The database is as declared; nothing was written\n',
    })
  })

  test('exits with 2 and shows the way where a column has another dimension, and writes nothing', async () => {
    const { knex, url } = database()
    await ensurePgvector(knex, { logger: false })
    await knex.raw('create table documents (id int, embedding vector(4))')
    const { folder, run } = await project()
    const words = ['new', '--from-diff', 'vectors', '--declared', 'vectors.ts']
    const refused = await run(words, { DATABASE_URL: url ?? '' })
    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toContain('documents.embedding was not changed. The database has\n')
    expect(refused.stderr).toMatch(/Next +A column of another type or dimension is a new column\. changeModel adds it/)
    expect(existsSync(`${folder}/migrations`)).toBe(false)
    const inJson = await run([...words, '--json'], { DATABASE_URL: url ?? '' })
    expect(inJson.code).toBe(2)
    expect(JSON.parse(inJson.stdout)).toMatchObject({ error: { code: 'INVALID_OPTIONS' } })
  })
})
