import {
  addVectorColumn,
  createVectorIndex,
  dropVectorIndex,
  ensurePgvector,
  vectorColumn,
  vectorIndex,
  type VectorIndex,
} from '../src/index.ts'
import { describeOnServers } from './support/databases.ts'
import { statementsOf } from './support/recorder.ts'

const quiet = { logger: false } as const

const embedding = vectorColumn('documents', 'embedding', { dimensions: 3 })
const sparse = vectorColumn('documents', 'sparse', { dimensions: 1000, type: 'sparsevec' })
const byAngle = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })

/** How often each kind of fact is read in these statements. */
function readsIn(statements: readonly string[]): Record<string, number> {
  const kinds = {
    catalog: /'canCheckConnection'/,
    rows: /count\(\*\)\) as state from "public"\."documents"/,
    sample: /tablesample/,
    processors: /pg_read_file/,
    load: /client backend/,
    // Within a CASE they are read only where the installed version is too old.
    extensionFiles: /(?<!then \(\s*select default_version )from pg_available_extension/,
  }
  const count = (kind: RegExp): number => statements.filter((sql) => kind.test(sql)).length
  return Object.fromEntries(Object.entries(kinds).map(([name, kind]) => [name, count(kind)]))
}

const none = { rows: 0, sample: 0, processors: 0, load: 0, extensionFiles: 0 }

describeOnServers('an index build', (database) => {
  beforeEach(async () => {
    const { knex } = database()
    await ensurePgvector(knex, quiet)
    await knex.raw('create table documents (id int)')
    await addVectorColumn(knex, embedding, quiet)
    await addVectorColumn(knex, sparse, quiet)
    await knex.raw(`insert into documents select n, '[1,2,3]', '{1:1}/1000' from generate_series(1, 100) n`)
  })

  const readsOf = async (index: VectorIndex): Promise<Record<string, number>> =>
    readsIn(await statementsOf(database().knex, () => createVectorIndex(database().knex, index, quiet)))

  test('reads the catalog, takes the lock, reads the catalog again and counts the rows once', async () => {
    expect(await readsOf(byAngle)).toEqual({ ...none, catalog: 2, rows: 1 })
  })

  test('samples values of differing lengths once', async () => {
    const index = vectorIndex(sparse, { method: 'hnsw', metric: 'cosine' })
    expect(await readsOf(index)).toEqual({ ...none, catalog: 2, rows: 1, sample: 1 })
  })

  test('looks up the processors and who else is at work once, and only for a large table', async () => {
    const { knex } = database()
    await knex.raw('alter table documents add column body text')
    await knex.raw('alter table documents alter column body set storage external')
    await knex.raw(`update documents set body = repeat('x', 100000)`)
    expect(await readsOf(byAngle)).toEqual({ ...none, catalog: 2, rows: 1, processors: 1, load: 1 })
  })

  test('reads the catalog alone where the index is there, and to drop it', async () => {
    const { knex } = database()
    await createVectorIndex(knex, byAngle, quiet)
    expect(await readsOf(byAngle)).toEqual({ ...none, catalog: 1 })
    expect(await createVectorIndex(knex, byAngle, quiet)).toMatchObject({ status: 'kept', rows: null })
    const dropped = await statementsOf(knex, () => dropVectorIndex(knex, byAngle, quiet))
    expect(readsIn(dropped)).toEqual({ ...none, catalog: 1 })
  })

  test('counts the rows before the lock where they decide whether there is an index', async () => {
    const lists = vectorIndex(embedding, { method: 'ivfflat', metric: 'cosine' })
    expect(await readsOf(lists)).toEqual({ ...none, catalog: 2, rows: 2 })
  })
})
