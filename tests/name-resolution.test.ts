import assert from 'node:assert'

import type { Knex } from 'knex'

import {
  addVectorColumn,
  type BackfillOptions,
  backfillVectors,
  copyVectors,
  createVectorIndex,
  diffVectors,
  dropVectorIndex,
  dropPgvector,
  dropVectorColumn,
  ensurePgvector,
  estimateBackfill,
  findDependents,
  inspectPgvector,
  listVectorIndexes,
  migrateToLatest,
  cosineDistance,
  nearest,
  nearestRows,
  readVectors,
  forecastBuild,
  planVectorIndex,
  repairVectorIndexes,
  listIndexBuilds,
  upgradePgvector,
  vectorColumn,
  vectorIndex,
  verifyPgvector,
  withSearchOptions,
} from '../src/index.ts'
import { diagnose } from '../src/doctor.ts'
import { createMigrator } from '../src/migrator.ts'
import { isPinned } from '../src/database/search-path.ts'
import { sessionOf } from '../src/database/session.ts'
import { describeOnEveryDatabase, describeOnServers, type TestDatabase } from './support/databases.ts'
import { resolvedBy, setExactTraps } from './support/exact-traps.ts'
import { statementsOf } from './support/recorder.ts'
import { rolledBack } from './support/rolled-back.ts'
import { source } from './support/steps.ts'
import { setTraps, sprung } from './support/traps.ts'
import { unqualifiedNames } from './support/unqualified.ts'
import { contractAfterChange, keepAndChange } from './support/vectors-in-motion.ts'

/** A caller with a search path of its own; the embedded database has one connection, whose path is set. */
async function callerWith({ knex, url, connect }: TestDatabase, path: readonly string[]): Promise<Knex> {
  if (url !== null) return connect({ searchPath: path })
  await knex.raw(`set search_path = ${path.join(', ')}`)
  return knex
}

/** Back to a path that nobody has tampered with. */
async function ownerOf({ knex, url }: TestDatabase): Promise<Knex> {
  if (url === null) await knex.raw('set search_path = pg_catalog, public')
  return knex
}

const embedding = vectorColumn('documents', 'embedding', { dimensions: 3 })
const bySchema = vectorColumn('documents', 'second', { schema: 'app', dimensions: 3 })
const whole = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })
const onParts = vectorIndex(vectorColumn('parts', 'embedding', { type: 'bit', dimensions: 3, schema: 'app' }), {
  method: 'hnsw',
  metric: 'hamming',
})
const partial = vectorIndex(embedding, {
  method: 'ivfflat',
  metric: 'l2',
  name: 'wanted_idx',
  lists: 1,
  where: 'is_wanted(note)',
})

const tables = `
  create schema app;
  create table app.documents (id integer, kind text, note text not null, primary key (id, kind));
  create table app.parts (id integer, embedding bit(3)) partition by range (id);
  create table app.part_1 partition of app.parts for values from (0) to (10);
  create table app.part_2 partition of app.parts for values from (10) to (20);
  insert into app.documents select i, 'kind', 'note ' || i from generate_series(1, 20) i;
  create function app.is_wanted(text) returns boolean language sql immutable as 'select true'`

const backfill: BackfillOptions<{ readonly note: string }> = {
  read: ['note'],
  embed: (rows) => Promise.resolve(rows.map((_, place) => [1, 2, place])),
  batchSize: 7,
  retryDelay: 0,
  logger: false,
}

const quiet = { logger: false } as const

// Everything is done several times on one database.
let lastId = 100

/** Everything that the traps are to be sprung by; the command line does the rest in a file of its own. */
async function doEverything(knex: Knex): Promise<void> {
  const migrationSource = source({ name: '001', up: 'create table app.made ()', down: 'drop table app.made' })
  const migrator = createMigrator(knex, { migrationSource })
  await migrator.status()
  await migrator.up()
  await migrator.status()
  await ensurePgvector(knex, quiet)
  await ensurePgvector(knex, quiet)
  await verifyPgvector(knex)
  await inspectPgvector(knex)
  await addVectorColumn(knex, embedding, quiet)
  await addVectorColumn(knex, bySchema, quiet)
  await estimateBackfill(knex, embedding, { read: ['note'] })
  await backfillVectors(knex, embedding, backfill)
  const columns = ['id', 'kind', 'note', 'embedding'] as const
  await copyVectors(knex, 'documents', columns, [{ id: ++lastId, kind: 'kind', note: 'note', embedding: [1, 2, 3] }], {
    schema: 'app',
  })
  for await (const row of readVectors(knex, 'documents', columns)) assert.ok(row)
  await keepAndChange(knex)
  await createVectorIndex(knex, whole, quiet)
  await createVectorIndex(knex, whole, quiet)
  await listVectorIndexes(knex)
  await repairVectorIndexes(knex, quiet)
  await findDependents(knex)
  await diagnose(knex, { migrationSource })
  await migrator.history()
  await migrator.unlock()
  await migrateToLatest(knex, { migrationSource })
  await migrator.preview('down')
  await planVectorIndex(knex, whole)
  await forecastBuild(knex, whole)
  await listIndexBuilds(knex)
  await upgradePgvector(knex, quiet)
  await diffVectors(knex, { columns: [embedding], indexes: [whole] })
  await knex.transaction((trx) =>
    withSearchOptions(trx, { efSearch: 50 }, () => nearestRows(trx, whole, [1, 2, 3], { limit: 2 })),
  )
  await createVectorIndex(knex, onParts, quiet)
  await dropVectorIndex(knex, onParts, quiet)
  await dropVectorIndex(knex, whole, quiet)
  await dropVectorColumn(knex, embedding, quiet)
  await dropVectorColumn(knex, bySchema, quiet)
  await migrator.rehearse()
  await migrator.losses({})
  await migrator.down({})
  await dropPgvector(knex, quiet)
}

describeOnEveryDatabase('names in our statements', (database) => {
  test.each([
    ['the schema of another role before ours', ['hostile', 'app', 'public']],
    ['pg_catalog last', ['app', 'hostile', 'public', 'pg_catalog']],
  ])('mean what they mean to PostgreSQL, with %s on the search path', async (_, path) => {
    const { knex } = database()
    await knex.raw(tables)
    await setTraps(knex)
    const done = await doEverything(await callerWith(database(), path)).then(
      () => 'done',
      (error: unknown) => error,
    )
    expect({ done, sprung: await sprung(await ownerOf(database())) }).toEqual({ done: 'done', sprung: 0 })
  })

  test('are qualified wherever the path is not pinned', async () => {
    const { knex } = database()
    await knex.raw(tables)
    const caller = await callerWith(database(), ['app', 'public'])
    const sent = (
      await statementsOf(caller, async () => {
        await doEverything(caller)
        await contractAfterChange(caller)
      })
    ).filter((sql) => !isPinned(sql))
    const ours = sent.filter((sql) => !/^select version\(\);?$/.test(sql))
    const found = await Promise.all(
      ours.map(async (sql) => ({ sql, names: (await unqualifiedNames(sql)).filter(isNotTheUsers) })),
    )
    expect(found.filter(({ names }) => names.length > 0)).toEqual([])
  })
})

// Tables that stock Knex and the user leave to the search path, and an alias in FOR UPDATE OF.
function isNotTheUsers(name: string): boolean {
  return !/^relation (documents|knex_migrations(_lock|_runs)?|m)$/.test(name)
}

describeOnServers('names in our statements', (database) => {
  test('mean what they mean to PostgreSQL, where another role has the same with exactly these types', async () => {
    const { knex, connect } = database()
    await knex.raw(tables)
    const resolved = await resolvedBy((pool) => connect({ searchPath: ['app', 'public'], pool }), doEverything)
    await setTraps(knex)
    expect(await setExactTraps(knex, resolved)).toBeGreaterThan(100)
    for (const path of [
      ['hostile', 'app', 'public'],
      ['app', 'hostile', 'public', 'pg_catalog'],
    ]) {
      await doEverything(connect({ searchPath: path }))
      expect(await sprung(knex)).toBe(0)
    }
  }, 240_000)
})

describeOnEveryDatabase('the expression of a distance', (database) => {
  const index = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine', storage: 'binary' })
  const traps = `
    create schema hostile; create sequence hostile.sprung;
    create function hostile.spring(public.vector, public.vector) returns float8 language plpgsql as $$
      begin perform pg_catalog.nextval('hostile.sprung'); return 0; end $$;
    create function hostile.binary_quantize(public.vector) returns bit language plpgsql as $$
      begin perform pg_catalog.nextval('hostile.sprung'); return b'1'; end $$;
    create operator hostile.<=> (leftarg = public.vector, rightarg = public.vector, function = hostile.spring);
    create function hostile.hamming(bit, bit) returns float8 language plpgsql as $$
      begin perform pg_catalog.nextval('hostile.sprung'); return 0; end $$;
    create operator hostile.<~> (leftarg = bit, rightarg = bit, function = hostile.hamming);
    create function hostile.is_wanted() returns boolean language plpgsql as $$
      begin perform pg_catalog.nextval('hostile.sprung'); return true; end $$;
    create domain hostile.vector as public.vector check (hostile.is_wanted())`

  const queries = (knex: Knex, schema?: string): readonly PromiseLike<unknown>[] => [
    knex('documents')
      .select('id')
      .modify(nearest(index, [1, 2, 3], { schema })),
    knex('documents').select('id', { far: cosineDistance(embedding, [1, 2, 3], { schema }) }),
    nearestRows(knex, index, [1, 2, 3], { limit: 2, schema }),
  ]

  test.each([
    ['the schema that it is given', true],
    ['the schema in which ensurePgvector found it through this Knex', false],
  ])('names %s, and runs nothing of another role', async (_, isGiven) => {
    const { knex } = database()
    await knex.raw(tables)
    await knex.raw('create extension vector with schema public')
    await knex.raw(`alter table app.documents add column embedding public.vector(3)`)
    await knex.raw(`update app.documents set embedding = '[1,2,3]'`)
    await knex.raw(traps)
    const caller = await callerWith(database(), ['hostile', 'app', 'public'])
    if (!isGiven) await ensurePgvector(caller, quiet)
    const sent: string[] = []
    caller.on('query', ({ sql }: { sql: string }) => sent.push(sql))
    for (const query of queries(caller, isGiven ? 'public' : undefined)) await query
    const searches = sent.filter((sql) => sql.startsWith('select') && !sql.includes('pg_extension'))
    const found = await Promise.all(searches.map(async (sql) => (await unqualifiedNames(sql)).filter(isNotTheUsers)))
    expect(found).toEqual([[], [], []])
    const inTransaction = await caller.transaction((trx) =>
      nearestRows(trx, index, [1, 2, 3], { limit: 2, schema: isGiven ? 'public' : undefined }),
    )
    expect(inTransaction.rows).toHaveLength(2)
    expect(await sprung(await ownerOf(database()))).toBe(0)
  })

  test('leaves it to the search path where nothing is known, and again once it was dropped', async () => {
    const { knex } = database()
    const other = database().url === null ? knex : database().connect()
    const expression = (): string =>
      other('documents')
        .orderBy(cosineDistance(embedding, [1, 2, 3]))
        .toQuery()
    expect(expression()).toContain(' <=> ')
    await ensurePgvector(other, quiet)
    expect(expression()).toContain(' operator("public".<=>) ')
    await dropPgvector(other, quiet)
    expect(expression()).toContain(' <=> ')
  })
})

describeOnEveryDatabase("a user's own names", (database) => {
  test('in triggers, conditions and defaults are found on their search path', async () => {
    const { knex } = database()
    await knex.raw(tables)
    await knex.raw(`
      create function app.stamp() returns text language sql as $$ select 'stamped' $$;
      create function app.on_write() returns trigger language plpgsql as $$
        begin new.note := stamp(); return new; end $$;
      create trigger on_write before update on app.documents for each row execute function app.on_write()`)
    const caller = await callerWith(database(), ['app', 'public'])
    await ensurePgvector(caller, quiet)
    await addVectorColumn(caller, embedding, quiet)
    expect(await backfillVectors(caller, embedding, { ...backfill, where: 'is_wanted(note)' })).toMatchObject({
      filled: 20,
    })
    expect(await caller('documents').distinct('note').pluck('note')).toEqual(['stamped'])
    expect(await createVectorIndex(caller, partial, quiet)).toMatchObject({ status: 'built', isUsed: true })
    expect(await createVectorIndex(caller, partial, quiet)).toMatchObject({ status: 'kept' })
  })

  test('of tables are found in a later schema of the path', async () => {
    const { knex } = database()
    await knex.raw(tables)
    await knex.raw('create schema empty')
    const caller = await callerWith(database(), ['empty', 'app', 'public'])
    await ensurePgvector(caller, quiet)
    expect(await addVectorColumn(caller, embedding, quiet)).toMatchObject({ status: 'added' })
    expect(await backfillVectors(caller, embedding, backfill)).toMatchObject({ filled: 20 })
    expect(await createVectorIndex(caller, whole, quiet)).toMatchObject({ status: 'built' })
  })

  test('of tables that are called like a catalog have no effect', async () => {
    const { knex } = database()
    await ensurePgvector(knex, quiet)
    await knex.transaction(async (trx) => {
      await trx.raw('create temporary table pg_class (oid oid, relname name, relnamespace oid, relkind "char")')
      await trx.raw('create temporary table pg_extension (extname name, extversion text, extnamespace oid, oid oid)')
      expect(await ensurePgvector(trx, quiet)).toMatchObject({ status: 'unchanged' })
      expect(await listVectorIndexes(trx)).toEqual([])
    })
  })

  test('keys of other types are compared with the operators of those types', async () => {
    const { knex } = database()
    await knex.raw(`create schema app; create type app.size as enum ('small', 'large', 'huge')`)
    await knex.raw('create table app.sizes (size app.size primary key, note text)')
    await knex.raw(`insert into app.sizes values ('small', 'a'), ('large', 'b'), ('huge', 'c')`)
    const sizes = vectorColumn('sizes', 'embedding', { schema: 'app', dimensions: 3 })
    await ensurePgvector(knex, quiet)
    await addVectorColumn(knex, sizes, quiet)
    expect(await backfillVectors(knex, sizes, { ...backfill, batchSize: 1 })).toMatchObject({ filled: 3 })
  })
})

describeOnEveryDatabase('the search path of a caller', (database) => {
  const pathOf = async (knex: Knex): Promise<string> => {
    const { rows } = await knex.raw<{ rows: [{ search_path: string }] }>('show search_path')
    return rows[0].search_path
  }

  test.each(['"$user", public', '"a b", "c""d", public', `''`, 'public', 'pg_temp, pg_catalog'])(
    'is back after a question: %s',
    async (path) => {
      const { knex } = database()
      await knex.transaction(async (trx) => {
        await trx.raw(`set local search_path = ${path}`)
        const before = await pathOf(trx)
        const session = sessionOf(trx)
        expect(await session.askEach([`select current_setting('search_path') as state`, 'select 1'])).toEqual([
          before,
          1,
        ])
        expect(await pathOf(trx)).toBe(before)
      })
    },
  )

  test('is what a transaction set it to, after a question that failed in a savepoint', async () => {
    const { knex } = database()
    const outside = await pathOf(knex)
    await rolledBack(knex, async (trx) => {
      await trx.raw('set local search_path = public, pg_catalog')
      const failing = trx.transaction((savepoint) => sessionOf(savepoint).ask('select 1 / 0'))
      await expect(failing).rejects.toThrow('division by zero')
      expect(await pathOf(trx)).toBe('public, pg_catalog')
      await expect(sessionOf(trx).ask('select no_such_thing')).rejects.toThrow('no_such_thing')
      await expect(trx.raw('select 1')).rejects.toThrow('current transaction is aborted')
    })
    expect(await pathOf(knex)).toBe(outside)
  })

  test('is left by a transaction as it would be without us', async () => {
    const { knex } = database()
    await knex.transaction(async (trx) => {
      await trx.raw('set search_path = public, pg_temp')
      expect(await sessionOf(trx).ask('select 1')).toBe(1)
    })
    await knex.transaction((trx) => sessionOf(trx).ask('select 1'), { readOnly: true })
    expect(await pathOf(knex)).toBe('public, pg_temp')
    await knex.raw('reset search_path')
  })
})

describeOnEveryDatabase("Knex's tables", (database) => {
  test('are those of current_schema(), as for stock Knex, and not a namesake further down the path', async () => {
    const { knex } = database()
    const migrationSource = source({ name: '001', up: 'create table made ()', down: 'drop table made' })
    await createMigrator(knex, { migrationSource }).up()
    await knex.raw('create schema app')
    const caller = await callerWith(database(), ['app', 'public'])
    const migrator = createMigrator(caller, { migrationSource })
    expect(await migrator.status()).toMatchObject([{ name: '001', state: 'pending' }])
    expect(await migrator.up()).toMatchObject({ migrations: [{ name: '001' }] })
    expect(await caller('app.knex_migrations').pluck('name')).toEqual(['001'])
    expect(await caller('public.knex_migrations').pluck('batch')).toEqual([1])
    expect(await caller.migrate.currentVersion({ migrationSource })).toBe('001')
  })
})
