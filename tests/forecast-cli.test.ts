import { ensurePgvector } from '../src/index.ts'
import { describeOnOneServer, type TestDatabase } from './support/databases.ts'
import { createProject, knexfile, type Project } from './support/project.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

// A plan starts PostgreSQL in the process that is spawned.
jest.setTimeout(180_000)

afterEach(removeTemporaryFolders)

const declared = `
  import { vectorColumn, vectorIndex } from 'knex-pgvector'

  const column = vectorColumn('documents', 'embedding', { dimensions: 8 })
  export const index = vectorIndex(column, { method: 'hnsw', metric: 'l2', name: 'by_meaning', m: 4, efConstruction: 8 })
`

const migration = `
  const { createVectorIndex, vectorColumn, vectorIndex } = require('knex-pgvector')
  const indexOf = (table) =>
    vectorIndex(vectorColumn(table, 'embedding', { dimensions: 8 }), { method: 'hnsw', metric: 'l2', name: table + '_near' })
  exports.config = { transaction: false }
  exports.up = async (knex) => {
    await knex.raw('create table later (embedding vector(8))')
    await createVectorIndex(knex, indexOf('documents'), { logger: false })
    await createVectorIndex(knex, indexOf('later'), { logger: false })
  }
  exports.down = async () => {}
`

async function withDocuments({ knex, url }: TestDatabase, rows: number): Promise<[Project, Record<string, string>]> {
  await ensurePgvector(knex, { logger: false })
  await knex.raw(`create table documents as select i as id, array(
      select sin(i * 12.9898 + place * 78.233)::real from generate_series(0, 7) place
    )::vector(8) as embedding from generate_series(1, ${rows}) i; analyze documents`)
  const files = { 'knexfile.js': knexfile, 'vectors.ts': declared, 'migrations/001_near.js': migration }
  return [await createProject(files), { DATABASE_URL: url ?? '' }]
}

describeOnOneServer('a forecast on the command line', (database) => {
  const indexes = async (): Promise<unknown> => {
    const { rows } = await database().knex.raw<{ rows: unknown[] }>(
      "select from pg_indexes where tablename = 'documents'",
    )
    return rows.length
  }

  test('shows what a build would take, and builds nothing', async () => {
    const [project, environment] = await withDocuments(database(), 12_000)
    const flags = ['index', 'build', '--declared', 'vectors.ts', '--dry-run']
    const { code, stdout } = await project.run(flags, environment)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^index +rows +time +size +WAL +memory +workers$/m)
    expect(stdout).toMatch(/^by_meaning +12,000 +\S.* +2\.\d MB +2\.\d MB +\d+ MB +\d$/m)
    expect(stdout).toMatch(/^by_meaning: The time is /m)
    const json = await project.run([...flags, '--json'], environment)
    expect(JSON.parse(json.stdout)).toEqual([
      expect.objectContaining({
        index: 'by_meaning',
        rows: 12_000,
        pilot: expect.any(Object) as unknown,
      }),
    ])
    expect(await indexes()).toBe(0)
  })

  test('is printed before a long build', async () => {
    const [project, environment] = await withDocuments(database(), 100_000)
    const { code, stderr } = await project.run(['index', 'build', '--declared', 'vectors.ts'], environment)
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringMatching(/^by_meaning: 100,000 rows, .+ MB, .+ MB of WAL, .+ MB of memory$/m) as string,
    })
  })

  test('is a part of a plan, for tables that exist', async () => {
    const [project, environment] = await withDocuments(database(), 300)
    const { code, stdout } = await project.run(['plan', '--forecast'], environment)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^documents_near +300 +unknown +/m)
    expect(stdout).not.toMatch(/^later_near +/m)
    const json = await project.run(['plan', '--forecast', '--json'], environment)
    expect(JSON.parse(json.stdout)).toMatchObject({ forecasts: [{ index: 'documents_near', rows: 300 }] })
    expect(JSON.parse((await project.run(['plan', '--json'], environment)).stdout)).not.toHaveProperty('forecasts')
  })
})
