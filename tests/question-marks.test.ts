import type { Knex } from 'knex'

import {
  AddVectorColumn,
  backfillVectors,
  createVectorIndex,
  CreateVectorIndex,
  diffVectors,
  dropVectorIndex,
  EnablePgvector,
  ensurePgvector,
  estimateBackfill,
  migration,
  cosineDistance,
  nearest,
  nearestRows,
  vectorColumn,
  vectorIndex,
  type VectorIndex,
} from '../src/index.ts'
import type { StorageChoice } from '../src/indexes/storage.ts'
import { diagnose } from '../src/doctor.ts'
import { lint } from '../src/lint.ts'
import { createMigrator } from '../src/migrator.ts'
import { identifier, qualified } from '../src/core/sql.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { silenceConsole } from './support/migrations.ts'

silenceConsole()
jest.setTimeout(120_000)

const quiet = { logger: false } as const

// Knex's raw API sends the first as $1, and takes the backslash from the second.
const schema = 'where?'
const extensionSchema = 'ext \\?'
const column = vectorColumn('why \\?', ':how?', { schema, dimensions: 3 })
const condition = `${identifier('is it?')} and ${identifier('title?')} <> '?'`
const indexOf = (storage: StorageChoice): VectorIndex =>
  vectorIndex(column, { method: 'hnsw', metric: 'cosine', name: 'which? \\?', storage, where: condition })

async function createTable(knex: Knex): Promise<void> {
  await knex.raw(`
    create table ${qualified(schema, column.table)} (
      ${identifier('id?')} int primary key, ${identifier('title?')} text, ${identifier('is it?')} boolean default true);
    insert into ${qualified(schema, column.table)} values (1, 'a'), (2, 'bb'), (3, 'ccc')`)
}

const operations = migration([
  new EnablePgvector({ schema: extensionSchema, createSchema: true }),
  new AddVectorColumn(column),
  new CreateVectorIndex(indexOf('column')),
])

const settings = {
  tableName: 'migrations \\?',
  schemaName: schema,
  migrationSource: {
    getMigrations: () => Promise.resolve(['001_table?', '002_why \\?']),
    getMigrationName: (name: string) => name,
    getMigration: (name: string) =>
      Promise.resolve(name === '001_table?' ? { up: createTable, down: () => Promise.resolve() } : operations),
  },
} as const

describeOnEveryDatabase('names with question marks', (database) => {
  test('are those of what a migration makes, and takes back', async () => {
    const { knex } = database()
    await knex.raw(`create schema ${identifier(schema)}`)
    const migrator = createMigrator(knex, settings)
    const declared = { columns: [column], indexes: [indexOf('column')] }
    const planned = await migrator.plan()
    expect(planned.migrations.map(({ statements }) => statements.length > 0)).toEqual([true, true])
    expect((await lint(knex, settings)).unread).toEqual([])
    await migrator.up()
    expect(await diffVectors(knex, declared)).toEqual([])
    expect((await diagnose(knex, settings)).filter(({ level }) => level === 'error')).toEqual([])
    await migrator.down()
    expect((await diffVectors(knex, declared)).map(({ kind }) => kind)).toEqual([
      'extension missing',
      'column missing',
      'index missing',
    ])
  })

  test.each(['column', 'halfvec', 'binary'] as const)('are found by a search: %s', async (storage) => {
    const { knex } = database()
    await knex.raw(`create schema ${identifier(schema)}`)
    await createTable(knex)
    await ensurePgvector(knex, { ...quiet, schema: extensionSchema, createSchema: true })
    await knex.raw(
      `alter table ${qualified(schema, column.table)} add ${identifier(column.name)} ${qualified(extensionSchema, 'vector')}(3)`,
    )
    const read = ['title?'] as const
    expect(await estimateBackfill(knex, column, { read, where: condition })).toMatchObject({ rows: 3 })
    const filled = await backfillVectors<{ readonly 'title?': string }>(knex, column, {
      ...quiet,
      read,
      where: condition,
      batchSize: 2,
      embed: (rows) => Promise.resolve(rows.map((row) => [row['title?'].length, 1, 0])),
    })
    expect(filled).toMatchObject({ filled: 3, isComplete: true })
    const index = indexOf(storage)
    expect(await createVectorIndex(knex, index, quiet)).toMatchObject({ status: 'built' })
    const { rows } = await nearestRows(knex, index, [3, 1, 0], { limit: 2, as: 'how near?' })
    expect(rows).toEqual([
      expect.objectContaining({ 'id?': 3, 'title?': 'ccc', 'how near?': expect.closeTo(0) }),
      expect.objectContaining({ 'id?': 2 }),
    ])
    const all = knex.from(knex.raw(`${qualified(schema, column.table)} as ${identifier('d?')}`))
    expect(await all.clone().select({ near: cosineDistance(column, [3, 1, 0], { alias: 'd?' }) })).toHaveLength(3)
    expect(await all.clone().modify(nearest(index, [3, 1, 0], { alias: 'd?' }))).toHaveLength(3)
    expect(await dropVectorIndex(knex, index, quiet)).toMatchObject({ status: 'dropped' })
  })
})
