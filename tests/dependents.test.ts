import { ensurePgvector, findDependents } from '../src/index.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'

const silent = { logger: false } as const

/** Every way in which an object can depend on pgvector: what makes it, and how it is to be reported. */
const ways: readonly (readonly [title: string, sql: string, kind: string, name: string])[] = [
  ['a column', 'create table t (e vector(3))', 'table column', 'public.t.e'],
  ['a column of halfvec', 'create table t (e halfvec(3))', 'table column', 'public.t.e'],
  ['a column of sparsevec', 'create table t (e sparsevec(3))', 'table column', 'public.t.e'],
  ['a column of an array', 'create table t (e vector(3)[])', 'table column', 'public.t.e'],
  ['a quoted column', 'create table "T.1" ("E ""x""" vector(3))', 'table column', 'public."T.1"."E ""x"""'],
  ['a domain', 'create domain d as vector(3)', 'type', 'public.d'],
  ['a column of a domain', 'create domain d as vector(3); create table t (e d)', 'table column', 'public.t.e'],
  ['an attribute of a composite type', 'create type c as (id int, e vector(3))', 'composite type column', 'public.c.e'],
  [
    'a column of a composite type',
    'create type c as (e vector(3)); create table t (x c)',
    'table column',
    'public.t.x',
  ],
  [
    'a column of an array of a composite type',
    'create type c as (e vector(3)); create table t (x c[])',
    'table column',
    'public.t.x',
  ],
  ['a column of a row type', 'create table r (e vector(3)); create table t (x r)', 'table column', 'public.t.x'],
  ['a range', 'create type span as range (subtype = vector)', 'type', 'public.span'],
  [
    'a column of a range',
    'create type span as range (subtype = vector); create table t (x span)',
    'table column',
    'public.t.x',
  ],
  ['a partitioned table', 'create table t (id int, e vector(3)) partition by list (id)', 'table column', 'public.t.e'],
  [
    'a partition',
    'create table t (id int, e vector(3)) partition by list (id); create table t1 partition of t for values in (1)',
    'table column',
    'public.t1.e',
  ],
  [
    'an inherited column',
    'create table t (e vector(3)); create table child () inherits (t)',
    'table column',
    'public.child.e',
  ],
  ['a view', `create view v as select '[1]'::vector as e`, 'view', 'public.v'],
  [
    'a view that uses only an operator',
    `create view v as select true as x where '[1]'::text::vector <-> '[2]' > 0`,
    'view',
    'public.v',
  ],
  [
    'a materialized view',
    `create materialized view m as select '[1]'::vector as e`,
    'materialized view column',
    'public.m.e',
  ],
  ['an index', 'create table t (e vector(3)); create index i on t using hnsw (e vector_l2_ops)', 'index', 'public.i'],
  [
    'an index on an expression',
    'create table t (e real[]); create index i on t using hnsw ((e::vector(3)) vector_l2_ops)',
    'index',
    'public.i',
  ],
  [
    'an index on bits',
    'create table t (b bit(8)); create index i on t using hnsw (b bit_hamming_ops)',
    'index',
    'public.i',
  ],
  [
    'a function by its argument',
    `create function f(vector) returns int language sql as 'select 1'`,
    'function',
    'public.f(public.vector)',
  ],
  [
    'a function by its result',
    `create function f() returns vector language sql as 'select null::vector'`,
    'function',
    'public.f()',
  ],
  [
    'a function by its parsed body',
    `create function f() returns int language sql begin atomic select vector_dims('[1]'::vector); end`,
    'function',
    'public.f()',
  ],
  ['a default', `create table t (d text default ('[1]'::vector)::text)`, 'default value', 'for public.t.d'],
  [
    'a generated column',
    `create table t (e real[], n float8 generated always as (vector_norm(e::vector)) stored)`,
    'table column',
    'public.t.n',
  ],
  [
    'a check',
    'create table t (e real[], constraint k check (vector_dims(e::vector) = 3))',
    'table constraint',
    'k on public.t',
  ],
  [
    'a policy',
    `create table t (e real[]); create policy p on t using (vector_norm(e::vector) > 0)`,
    'policy',
    'p on public.t',
  ],
  [
    'a cast',
    `create type mood as enum ('up'); create function to_vector(mood) returns vector language sql as 'select null::vector'; create cast (mood as vector) with function to_vector(mood)`,
    'cast',
    '(public.mood AS public.vector)',
  ],
  [
    'an operator',
    `create function far(vector, vector) returns bool language sql as 'select true'; create operator <<>> (leftarg = vector, rightarg = vector, function = far)`,
    'operator',
    'public.<<>>(public.vector,public.vector)',
  ],
  [
    'an aggregate',
    `create function keep(vector, vector) returns vector language sql as 'select $1'; create aggregate first_vector(vector) (sfunc = keep, stype = vector)`,
    'aggregate',
    'public.first_vector(public.vector)',
  ],
]

describeOnEveryDatabase('findDependents', (database) => {
  test('finds nothing where nothing uses pgvector, or where there is none', async () => {
    const { knex } = database()
    expect(await findDependents(knex)).toEqual({ objects: [], mentions: [] })
    await ensurePgvector(knex, silent)
    expect(await findDependents(knex)).toEqual({ objects: [], mentions: [] })
  })

  test('finds every kind of object that uses pgvector, by kind and name', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    for (const [title, sql, kind, name] of ways) {
      const trx = await knex.transaction()
      await trx.raw(sql.replaceAll('?', '\\?'))
      const { objects } = await findDependents(trx)
      await trx.rollback()
      expect({ title, found: objects.map((object) => `${object.kind} ${object.name}`) }).toEqual({
        title,
        found: expect.arrayContaining([`${kind} ${name}`]),
      })
    }
  })

  test('finds everything that PostgreSQL would refuse to drop the extension for', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    for (const [title, sql] of ways) {
      const trx = await knex.transaction()
      await trx.raw(sql)
      const { objects } = await findDependents(trx)
      const drop = await trx.raw('drop extension vector').then(
        () => 'dropped',
        (error: { code?: string }) => error.code,
      )
      await trx.rollback()
      // 2BP01: dependent objects still exist.
      expect({ title, drop, found: objects.length > 0 }).toEqual({ title, drop: '2BP01', found: true })
    }
  })

  test('tells the type of a column, and the way from a vector to it', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await knex.raw('create type chunk as (body text, e vector(3)); create table pages (chunks chunk[])')
    const { objects } = await findDependents(knex)
    const column = objects.find(({ name }) => name === 'public.pages.chunks')
    expect(column).toMatchObject({
      schema: 'public',
      type: expect.stringMatching(/^chunk\[\] \(vector in row of chunk in array/),
    })
  })

  test('finds functions that name pgvector in their source, and settings', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await knex.raw(`
      create function by_hand() returns void language plpgsql as $$ begin perform '[1]'::vector; end $$;
      create function unrelated() returns int language sql as 'select 1'`)
    const { mentions, objects } = await findDependents(knex)
    expect(objects).toEqual([])
    expect(mentions.map(({ kind, name }) => [kind, name])).toEqual([['function', 'by_hand()']])
  })

  test('needs no rights', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await knex.raw('create table t (e vector(3))')
    await knex.transaction(async (trx) => {
      await trx.raw('set transaction read only')
      expect((await findDependents(trx)).objects).toHaveLength(1)
    })
  })
})

describeOnServers('findDependents on a server', (database) => {
  test('finds another extension that requires pgvector, and foreign tables', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await knex.raw(`
      create foreign data wrapper nowhere;
      create server remote foreign data wrapper nowhere;
      create foreign table far (e vector(3)) server remote;
      create extension btree_gin;
      insert into pg_depend (classid, objid, objsubid, refclassid, refobjid, refobjsubid, deptype)
      select 'pg_extension'::regclass, b.oid, 0, 'pg_extension'::regclass, v.oid, 0, 'n'
      from pg_extension b, pg_extension v where b.extname = 'btree_gin' and v.extname = 'vector'`)
    const { objects } = await findDependents(knex)
    expect(objects.map(({ kind, name }) => `${kind} ${name}`)).toEqual(
      expect.arrayContaining(['extension btree_gin', 'foreign table column public.far.e']),
    )
  })

  test('finds settings of the database that would stay behind', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    const { rows } = await knex.raw('select current_database() as name')
    await knex.raw(`alter database ${rows[0].name} set hnsw.ef_search = 100`)
    const { mentions } = await findDependents(knex)
    expect(mentions).toEqual([expect.objectContaining({ kind: 'setting', name: 'hnsw.ef_search=100' })])
  })
})
