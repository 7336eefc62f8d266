import type { Knex } from 'knex'

import { catalogOf, rowsOf, type Catalog } from './support/catalog.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { initialSchema, migrationsOf, scalingTables, semanticSearch, silenceConsole } from './support/migrations.ts'
import { deployOldSchema } from './support/natlangchain/deployed.ts'

silenceConsole()

const all = [initialSchema, semanticSearch, scalingTables]

// The bodies and comments of functions are ours afterwards; that a function of this signature is there is what counts.
function comparable(catalog: Catalog): unknown {
  return { ...catalog, functions: Object.keys(catalog.functions).toSorted() }
}

async function allRows(knex: Knex, tables: readonly string[]): Promise<Record<string, string[]>> {
  const rows: Record<string, string[]> = {}
  for (const table of tables) rows[table] = await rowsOf(knex, table)
  return rows
}

async function allTables(knex: Knex): Promise<string[]> {
  const { rows } = await knex.raw<{ rows: { name: string }[] }>(
    `select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1`,
  )
  return rows.map(({ name }) => name)
}

describeOnEveryDatabase('a database that the old SQL files made', (database) => {
  test('is taken over: nothing is added but the tables of Knex, and every row stays', async () => {
    const { knex } = database()
    await deployOldSchema(knex, 3)
    const tables = await allTables(knex)
    const before = { catalog: comparable(await catalogOf(knex)), rows: await allRows(knex, tables) }
    expect(Object.values(before.rows).filter((rows) => rows.length === 0)).toEqual([])

    expect(await migrationsOf(knex).latest()).toEqual(all)
    const after = { catalog: comparable(await catalogOf(knex)), rows: await allRows(knex, tables) }
    expect(after).toEqual(before)
    expect(await allTables(knex)).toEqual([...tables, 'knex_migrations', 'knex_migrations_lock'].toSorted())
    expect(await migrationsOf(knex).latest()).toEqual([])
  })

  test('has working functions afterwards, and a search that finds what was stored', async () => {
    const { knex } = database()
    await deployOldSchema(knex, 3)
    await migrationsOf(knex).latest()
    const { rows } = await knex.raw<{ rows: { content: string }[] }>(
      `select content from search_similar_entries(('[1' || repeat(',0', 383) || ']')::vector) order by content`,
    )
    expect(rows.map(({ content }) => content)).toEqual(['Alice lends Bob a ladder', 'Bob returns the ladder'])
    // The old lock has long expired.
    const { rows: locks } = await knex.raw<{ rows: unknown[] }>(`select acquire_lock('mining', 'api-2') as taken`)
    expect(locks).toEqual([{ taken: true }])
  })

  test('gets what it lacks where it had run only the first file, and keeps its chain', async () => {
    const { knex } = database()
    await deployOldSchema(knex, 1)
    expect(await migrationsOf(knex).latest()).toEqual(all)
    expect(await knex('schema_migrations').pluck('name').orderBy('version')).toEqual(all)
    expect(await knex('chain_state').pluck('chain_id')).toEqual(['the-chain-of-2024'])
    expect(await knex('entries').pluck('entry_id').orderBy('entry_id')).toEqual(['first', 'second'])
    expect(await knex('entry_embeddings')).toEqual([])
  })

  test('keeps its extension when 002 is undone, because it was there before', async () => {
    const { knex } = database()
    await deployOldSchema(knex, 3)
    const migrations = migrationsOf(knex)
    await migrations.latest()
    await migrations.down(semanticSearch)
    const { extensions, tables } = await catalogOf(knex)
    expect(extensions).toEqual(['vector in public'])
    expect(Object.keys(tables)).not.toContain('entry_embeddings')
  })
})
