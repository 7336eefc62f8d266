import { catalogOf, type Catalog } from './support/catalog.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { initialSchema, migrationsOf, scalingTables, semanticSearch, silenceConsole } from './support/migrations.ts'
import { initialFunctions, initialTables } from './support/natlangchain/initial.ts'
import { scalingFunctions, scalingTables as tablesOf003 } from './support/natlangchain/scaling.ts'
import { searchFunctions, searchTables } from './support/natlangchain/search.ts'

silenceConsole()

/** The functions whose purpose is told in a comment; those of the cache speak for themselves. */
const commentedFunctions = [
  'acquire_lock',
  'claim_job',
  'cleanup_expired_data',
  'release_lock',
  'search_similar_contracts',
  'search_similar_entries',
]
const all = [initialSchema, semanticSearch, scalingTables]
const nameOf = (signature: string): string => signature.slice(0, signature.indexOf('('))

describeOnEveryDatabase('the migrations', (database) => {
  test('create exactly the tables, functions and triggers of the reference', async () => {
    const { knex } = database()
    expect(await migrationsOf(knex).latest()).toEqual(all)
    const { tables, functions, triggers, extensions, schemas, types } = await catalogOf(knex)
    expect(tables).toEqual({ ...initialTables, ...searchTables, ...tablesOf003 })
    expect(Object.keys(functions).toSorted()).toEqual(
      [...initialFunctions, ...searchFunctions, ...scalingFunctions].toSorted(),
    )
    const commented = Object.entries(functions).filter(([, { comment }]) => comment !== null)
    expect(commented.map(([signature]) => nameOf(signature)).toSorted()).toEqual(commentedFunctions)
    expect(triggers).toEqual(
      ['chain_state', 'contracts', 'entries'].map(
        (table) =>
          `CREATE TRIGGER update_${table}_updated_at BEFORE UPDATE ON public.${table} ` +
          'FOR EACH ROW EXECUTE FUNCTION update_updated_at_column()',
      ),
    )
    expect({ extensions, schemas, types }).toEqual({ extensions: ['vector in public'], schemas: ['public'], types: [] })
  })

  test('record themselves, and start a chain with an id of 32 hexadecimal characters', async () => {
    const { knex } = database()
    await migrationsOf(knex).latest()
    expect(await knex('schema_migrations').select('version', 'name').orderBy('version')).toEqual([
      { version: 1, name: initialSchema },
      { version: 2, name: semanticSearch },
      { version: 3, name: scalingTables },
    ])
    expect(await knex('chain_state')).toEqual([
      expect.objectContaining({
        id: 1,
        chain_id: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
        last_block_hash: null,
        block_count: 0,
        entry_count: 0,
        difficulty: 4,
      }),
    ])
  })

  test('undo themselves one by one, leave nothing behind, and create the same again', async () => {
    const { knex } = database()
    const migrations = migrationsOf(knex)
    const catalogs: Catalog[] = [await catalogOf(knex)]
    for (const name of all) {
      await migrations.up(name)
      catalogs.push(await catalogOf(knex))
    }
    for (const name of all.toReversed()) {
      await migrations.down(name)
      expect(await catalogOf(knex)).toEqual(catalogs[all.indexOf(name)])
    }
    await migrations.latest()
    expect(await catalogOf(knex)).toEqual(catalogs.at(-1))
    expect(await migrations.rollbackAll()).toEqual(all.toReversed())
    expect(await catalogOf(knex)).toEqual(catalogs[0])
  })

  test('run a second time without an error, and change nothing', async () => {
    const { knex } = database()
    const migrations = migrationsOf(knex)
    await migrations.latest()
    const before = { catalog: await catalogOf(knex), chain: await knex('chain_state') }
    await knex('knex_migrations').delete()
    expect(await migrations.latest()).toEqual(all)
    expect({ catalog: await catalogOf(knex), chain: await knex('chain_state') }).toEqual(before)
  })

  test('set updated_at on every update of an entry, a contract and the chain state', async () => {
    const { knex } = database()
    await migrationsOf(knex).latest()
    const longAgo = '2000-01-01T00:00:00Z'
    await knex('entries').insert({ entry_id: 'e', content: 'c', author: 'a', updated_at: longAgo })
    await knex('contracts').insert({ contract_id: 'c', content: 'c', created_by: 'a', updated_at: longAgo })
    const started = Date.now()
    for (const table of ['entries', 'contracts', 'chain_state']) {
      await knex(table).update({ updated_at: longAgo })
      const [row] = await knex<{ updated_at: Date }>(table).select('updated_at')
      // The server's clock may differ from ours by some minutes, not by years.
      expect(Math.abs(started - (row?.updated_at.getTime() ?? 0))).toBeLessThan(3_600_000)
    }
  })
})

describeOnEveryDatabase('rolling back a migration', (database) => {
  test('001 stays while later ones are applied, names them, and loses nothing', async () => {
    const { knex } = database()
    const migrations = migrationsOf(knex)
    await migrations.latest()
    const before = await catalogOf(knex)
    await expect(migrations.down(initialSchema)).rejects.toThrow(
      `001_initial_schema cannot be rolled back while these are applied: ${scalingTables}, ${semanticSearch}. Roll them back first`,
    )
    expect(await catalogOf(knex)).toEqual(before)
    expect(await migrations.pending()).toEqual([])
  })

  test('002 can be undone while 003 stays applied, and added again', async () => {
    const { knex } = database()
    const migrations = migrationsOf(knex)
    await migrations.latest()
    const full = await catalogOf(knex)
    await migrations.down(semanticSearch)
    const { tables, extensions } = await catalogOf(knex)
    expect(tables).toEqual({ ...initialTables, ...tablesOf003 })
    expect(extensions).toEqual([])
    expect(await knex('schema_migrations').pluck('version').orderBy('version')).toEqual([1, 3])
    expect(await migrations.latest()).toEqual([semanticSearch])
    expect(await catalogOf(knex)).toEqual(full)
  })

  test('002 keeps the extension while another table uses it', async () => {
    const { knex } = database()
    const migrations = migrationsOf(knex)
    await migrations.latest()
    await knex.raw('create table photos (embedding vector(3))')
    await migrations.rollbackAll()
    const { tables, extensions } = await catalogOf(knex)
    expect(Object.keys(tables)).toEqual(['photos'])
    expect(extensions).toEqual(['vector in public'])
  })

  test.each([
    ['a view', 'create view recent as select * from entries', 'drop view recent'],
    ['a foreign key', 'create table notes (entry uuid references entries)', 'drop table notes'],
  ])('fails where %s depends on a table, loses nothing, and works once that is gone', async (_, create, drop) => {
    const { knex } = database()
    const migrations = migrationsOf(knex)
    await migrations.up(initialSchema)
    await knex('entries').insert({ entry_id: 'e', content: 'c', author: 'a' })
    await knex.raw(create)
    const before = await catalogOf(knex)
    await expect(migrations.down(initialSchema)).rejects.toMatchObject({ code: '2BP01' })
    expect(await catalogOf(knex)).toEqual(before)
    expect(await knex('entries')).toHaveLength(1)
    await knex.raw(drop)
    expect(await migrations.down(initialSchema)).toEqual([initialSchema])
  })
})
