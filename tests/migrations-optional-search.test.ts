import { catalogOf } from './support/catalog.ts'
import { describeOnEveryDatabase, describeWithoutPgvector } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import {
  initialSchema,
  migrateWithoutSearch,
  migrationsOf,
  scalingTables,
  semanticSearch,
  silenceConsole,
} from './support/migrations.ts'
import { initialTables } from './support/natlangchain/initial.ts'
import { scalingTables as tablesOf003 } from './support/natlangchain/scaling.ts'
import { searchTables } from './support/natlangchain/search.ts'

silenceConsole()

describeWithoutPgvector('a server without pgvector', (database) => {
  test('runs 001 and 003 without 002, and undoes them', async () => {
    const { knex } = database()
    const empty = await catalogOf(knex)
    const migrations = migrationsOf(knex)
    await migrateWithoutSearch(knex)
    expect((await catalogOf(knex)).tables).toEqual({ ...initialTables, ...tablesOf003 })
    expect(await knex('schema_migrations').pluck('version').orderBy('version')).toEqual([1, 3])
    expect(await migrations.pending()).toEqual([semanticSearch])
    await migrations.rollbackAll()
    expect(await catalogOf(knex)).toEqual(empty)
  })

  test('says what 002 needs, and has nothing of it afterwards', async () => {
    const { knex, major } = database()
    const migrations = migrationsOf(knex)
    await migrations.up(initialSchema)
    const before = await catalogOf(knex)
    const error = await expectError('PGVECTOR_NOT_AVAILABLE', () => migrations.up(semanticSearch))
    expect(error.hint).toContain(`postgresql-${major}-pgvector`)
    expect(await catalogOf(knex)).toEqual(before)
    expect(await migrations.pending()).toEqual([semanticSearch, scalingTables])
  })
})

describeOnEveryDatabase('a database without 002', (database) => {
  test('takes it later, by name, and then has all that there is', async () => {
    const { knex } = database()
    const migrations = migrationsOf(knex)
    await migrateWithoutSearch(knex)
    expect(await migrations.up(semanticSearch)).toEqual([semanticSearch])
    const { tables } = await catalogOf(knex)
    expect(tables).toEqual({ ...initialTables, ...searchTables, ...tablesOf003 })
    expect(await migrations.latest()).toEqual([])
  })
})
