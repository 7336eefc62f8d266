import { ensurePgvector } from '../src/index.ts'
import type { CliResult } from './support/cli.ts'
import { describeOnOneServer, type TestDatabase } from './support/databases.ts'
import { createProject, knexfile, type Project } from './support/project.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

afterEach(removeTemporaryFolders)

const declared = `
  import { vectorColumn, vectorIndex } from 'knex-pgvector'

  const column = vectorColumn('documents', 'embedding', { dimensions: 8 })
  export const index = vectorIndex(column, { method: 'hnsw', metric: 'l2', name: 'by_meaning' })
`

const vectorOf = (i: number): number[] =>
  Array.from({ length: 8 }, (_, place) => Math.sin(i * 12.9898 + place * 78.233))

async function withIndex({ knex, url }: TestDatabase): Promise<{
  readonly project: Project
  readonly run: (...flags: string[]) => Promise<CliResult>
}> {
  await ensurePgvector(knex, { logger: false })
  await knex.raw(`create table documents as select i as id, array(
      select sin(i * 12.9898 + place * 78.233)::real from generate_series(0, 7) place
    )::vector(8) as embedding from generate_series(1, 600) i;
    create index by_meaning on documents using hnsw (embedding vector_l2_ops)`)
  const project = await createProject({ 'knexfile.js': knexfile, 'vectors.ts': declared })
  const run = (...flags: string[]): Promise<CliResult> =>
    project.run(['recall', ...flags, '--declared', 'vectors.ts'], { DATABASE_URL: url ?? '' })
  return { project, run }
}

describeOnOneServer('knex-pgvector recall', (database) => {
  test('shows the recall and the time of each setting, and exits with 0 where the target is reached', async () => {
    const { run } = await withIndex(database())
    const { code, stdout } = await run('by_meaning', '--sample', '200')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^efSearch +Recall +95 % interval +Median +95th percentile/)
    expect(stdout).toMatch(/^\d+ +[01]\.\d{3} +0\.\d{3}–1\.000 +[\d.]+ ms +[\d.]+ ms +← smallest that reaches 0\.95$/m)
    expect(stdout).toContain('The target is reached. Times contain the round trip to the server, ')
    expect(stdout).toContain("200 of the table's own rows: real queries may find less")
  })

  test('searches for the vectors of a file, and prints JSON', async () => {
    const { project, run } = await withIndex(database())
    const lines = Array.from({ length: 150 }, (_, i) => JSON.stringify(vectorOf(1000 + i)))
    await project.write('queries.jsonl', `${lines.join('\n')}\n`)
    const { code, stdout } = await run('by_meaning', '--queries', 'queries.jsonl', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      index: 'by_meaning',
      target: 0.95,
      sampled: 'queries',
      n: 150,
      verdict: 'reached',
      warnings: [],
    })
  })

  test('refuses an index that is not declared, and vectors that cannot be compared', async () => {
    const { project, run } = await withIndex(database())
    const unknown = await run('by_title')
    expect([unknown.code, unknown.stderr]).toEqual([
      2,
      expect.stringContaining('index: declared are by_meaning, not by_title'),
    ])
    await project.write('queries.json', JSON.stringify(Array.from({ length: 150 }, () => [1, 2, 3])))
    const short = await run('by_meaning', '--queries', 'queries.json')
    expect([short.code, short.stderr]).toEqual([
      2,
      expect.stringContaining('queries[0]: has 3 dimensions, but the column has 8'),
    ])
    await project.write('queries.txt', 'one\ntwo\n')
    const text = await run('by_meaning', '--queries', 'queries.txt')
    expect(text.stderr).toContain('--queries: line 1 is not a JSON array of numbers')
    expect((await run('by_meaning', '--queries', 'none.json')).stderr).toContain('--queries: cannot be read')
    expect((await run('by_meaning', '--target', '1.5')).stderr).toContain('above 0 and below 1')
  })
})
