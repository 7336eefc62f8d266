import type { Knex } from 'knex'

import { addVectorColumn, createVectorIndex, dropVectorIndex, vectorColumn, vectorIndex } from '../src/index.ts'
import { sessionOf } from '../src/database/session.ts'
import { readIndexFacts } from '../src/indexes/look/read-facts.ts'
import { catalogOf } from './support/catalog.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { createDocuments, embedding, indexesOf } from './support/documents.ts'
import { expectError } from './support/expect-error.ts'
import { recordingLogger, statementsOf } from './support/recorder.ts'
import { rolledBack } from './support/rolled-back.ts'

const index = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })
const quiet = { logger: false } as const

describeOnEveryDatabase('createVectorIndex', (database) => {
  test('builds an index that is valid and that the planner uses', async () => {
    const { knex } = database()
    await createDocuments(knex, 200)
    const logger = recordingLogger()
    const result = await createVectorIndex(knex, index, { logger })
    expect(result).toMatchObject({ status: 'built', name: index.name, rows: 200, isUsed: true, warnings: [] })
    expect(await indexesOf(knex)).toEqual([
      expect.objectContaining({ name: 'documents_embedding_hnsw_cosine_idx', isValid: true }),
    ])
    expect(logger.infos).toEqual([expect.stringMatching(/^index "documents_embedding_hnsw_cosine_idx" built in /)])
  })

  test('keeps an equal index, and then only asks', async () => {
    const { knex } = database()
    await createDocuments(knex, 20)
    await createVectorIndex(knex, index, quiet)
    const statements = await statementsOf(knex, async () => {
      expect(await createVectorIndex(knex, index, quiet)).toMatchObject({
        status: 'kept',
        name: index.name,
        isUsed: null,
      })
    })
    for (const statement of statements) expect(statement.trim()).toMatch(/^(select|with)\b/)
  })

  test('keeps an equal index that has another name, and says so', async () => {
    const { knex } = database()
    await createDocuments(knex, 20)
    await knex.raw('create index by_hand on documents using hnsw (embedding vector_cosine_ops) with (m = 16)')
    const result = await createVectorIndex(knex, index, quiet)
    expect(result).toMatchObject({ status: 'kept', name: 'by_hand' })
    expect(result.warnings).toEqual([expect.stringContaining('with another name exists and was kept: "by_hand"')])
  })

  test('refuses another index of its name, with both definitions', async () => {
    const { knex } = database()
    await createDocuments(knex, 20)
    await knex.raw(`create index ${index.name} on documents using hnsw (embedding vector_l2_ops)`)
    const { details } = await expectError('INDEX_DIFFERS', () => createVectorIndex(knex, index, quiet))
    expect(details.existing).toContain('vector_l2_ops')
    expect(details.wanted).toContain('vector_cosine_ops')
    expect(await indexesOf(knex)).toHaveLength(1)
  })

  test('refuses where something else has its name', async () => {
    const { knex } = database()
    await createDocuments(knex, 20)
    await knex.raw(`create table ${index.name} (id int)`)
    const { details } = await expectError('INDEX_DIFFERS', () => createVectorIndex(knex, index, quiet))
    expect(details.existing).toBe(`the relation ${index.name}`)
  })

  test.each([
    { what: 'a table', column: vectorColumn('nowhere', 'embedding', { dimensions: 16 }), code: 'RELATION_NOT_FOUND' },
    { what: 'a column', column: vectorColumn('documents', 'nothing', { dimensions: 16 }), code: 'RELATION_NOT_FOUND' },
    { what: 'a type', column: vectorColumn('documents', 'embedding', { dimensions: 3 }), code: 'COLUMN_DIFFERS' },
  ] as const)('refuses $what that is not there', async ({ column, code }) => {
    const { knex } = database()
    await createDocuments(knex, 0)
    const { details } = await expectError(code, () =>
      createVectorIndex(knex, vectorIndex(column, { method: 'hnsw', metric: 'l2' }), quiet),
    )
    expect(JSON.stringify(details)).toContain(`\\"${column.table}\\"`)
  })

  test('leaves the same catalog after up, down and up', async () => {
    const { knex } = database()
    await createDocuments(knex, 50)
    const before = await catalogOf(knex)
    await createVectorIndex(knex, index, quiet)
    const built = await catalogOf(knex)
    expect((await dropVectorIndex(knex, index, quiet)).status).toBe('dropped')
    expect(await catalogOf(knex)).toEqual(before)
    await createVectorIndex(knex, index, quiet)
    expect(await catalogOf(knex)).toEqual(built)
    expect((await dropVectorIndex(knex, index, quiet)).status).toBe('dropped')
    expect((await dropVectorIndex(knex, index, quiet)).status).toBe('absent')
  })

  test('is dropped under the name that an earlier release gave it, where its definition is the same', async () => {
    const { knex } = database()
    await createDocuments(knex, 20)
    const halfvec = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine', storage: 'halfvec' })
    const former = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine', storage: 'halfvec', name: index.name })
    expect(halfvec.name).not.toBe(former.name)
    await createVectorIndex(knex, former, quiet)
    expect(await createVectorIndex(knex, halfvec, quiet)).toMatchObject({ status: 'kept', name: former.name })
    expect(await dropVectorIndex(knex, halfvec, quiet)).toMatchObject({ status: 'dropped', warnings: [] })
    expect(await indexesOf(knex)).toEqual([])
    await createVectorIndex(knex, index, quiet)
    expect(await dropVectorIndex(knex, halfvec, quiet)).toMatchObject({ status: 'absent' })
    expect(await indexesOf(knex)).toHaveLength(1)
  })

  test('logs what it built and what it dropped', async () => {
    const { knex } = database()
    await createDocuments(knex, 50)
    await createVectorIndex(knex, index, quiet)
    await dropVectorIndex(knex, index, quiet)
    const { rows } = await knex.raw('select event, details from pgvector_migration_log order by id offset 1')
    expect(rows).toEqual([
      { event: 'index begun', details: expect.objectContaining({ index: index.name, method: 'hnsw' }) },
      { event: 'index built', details: expect.objectContaining({ index: index.name, rows: 50, method: 'hnsw' }) },
      { event: 'index dropped', details: { index: index.name, table: expect.any(Number) } },
    ])
  })

  test('does not drop an index that only has its name', async () => {
    const { knex } = database()
    await createDocuments(knex, 20)
    await knex.raw(`create index ${index.name} on documents using hnsw (embedding vector_l2_ops)`)
    await expectError('INDEX_DIFFERS', () => dropVectorIndex(knex, index, { ...quiet, onlyOurs: false }))
    expect(await indexesOf(knex)).toHaveLength(1)
  })

  test('leaves an index that existed before, unless onlyOurs is false', async () => {
    const { knex } = database()
    await createDocuments(knex, 20)
    await knex.raw(`create index ${index.name} on documents using hnsw (embedding vector_cosine_ops)`)
    expect(await createVectorIndex(knex, index, quiet)).toMatchObject({ status: 'kept' })
    const { status, warnings } = await dropVectorIndex(knex, index, quiet)
    expect({ status, warnings }).toEqual({ status: 'kept', warnings: [expect.stringContaining('so it was kept')] })
    await dropVectorIndex(knex, index, { ...quiet, onlyOurs: false })
    await createVectorIndex(knex, index, quiet)
    expect((await dropVectorIndex(knex, index, quiet)).status).toBe('dropped')
  })

  test('recognises a partial index however its condition is written', async () => {
    const { knex } = database()
    await createDocuments(knex, 50)
    const partial = vectorIndex(embedding, { method: 'hnsw', metric: 'l2', where: `((note)='it''s?'  )and id>5` })
    expect(await createVectorIndex(knex, partial, quiet)).toMatchObject({ status: 'built', isUsed: true })
    expect(await createVectorIndex(knex, partial, quiet)).toMatchObject({ status: 'kept' })
    const other = vectorIndex(embedding, { method: 'hnsw', metric: 'l2', where: 'id > 6' })
    expect(await createVectorIndex(knex, other, quiet)).toMatchObject({ status: 'built', name: other.name })
    const namesake = vectorIndex(embedding, { method: 'hnsw', metric: 'l2', where: 'id > 7', name: other.name })
    await expectError('INDEX_DIFFERS', () => createVectorIndex(knex, namesake, quiet))
  })

  test.each([
    ['parentheses', '(id = 1 and id = 2) or id = 3', 'id = 1 and (id = 2 or id = 3)'],
    ['a space within quotes', `note = 'x y'`, `note = 'xy'`],
    ['the collation', `note collate "C" < 'x'`, `note collate "POSIX" < 'x'`],
    ['having a collation', `note < 'x'`, `note collate "C" < 'x'`],
    ['case within quotes', `note = 'X'`, `note = 'x'`],
    ['a digit of a number', 'id::float8 > 0.30000000000000004', 'id::float8 > 0.3'],
    ['a cast', `note::char(2) = 'x'`, `note = 'x'`],
  ])('tells partial indexes apart that differ only in %s', async (_, there, wanted) => {
    const { knex } = database()
    await createDocuments(knex, 5)
    const options = { method: 'hnsw', metric: 'l2', name: 'partial' } as const
    await createVectorIndex(knex, vectorIndex(embedding, { ...options, where: there }), quiet)
    const other = vectorIndex(embedding, { ...options, where: wanted })
    await expectError('INDEX_DIFFERS', () => createVectorIndex(knex, other, quiet))
  })

  test.each([
    ['id in (1, 2)', 'documents.id = any (array[1, 2])'],
    [`id between 1 and 2 or note is null and not (id < 7)`, '((id>=1 and id<=2) or ((note is null) and (id>=7)))'],
    [`note like 'a?%' and lower(note) <> $$it's$$`, `note ~~ 'a?%'::text AND lower(note) != 'it''s'`],
    [`note collate "C" < 'x'`, `((note COLLATE "C") < 'x'::text)`],
  ])('is kept where its condition is %s and another form of it is wanted', async (there, wanted) => {
    const { knex } = database()
    await createDocuments(knex, 5)
    const options = { method: 'hnsw', metric: 'l2', name: 'partial' } as const
    await createVectorIndex(knex, vectorIndex(embedding, { ...options, where: there }), quiet)
    const other = vectorIndex(embedding, { ...options, where: wanted })
    expect((await createVectorIndex(knex, other, quiet)).status).toBe('kept')
  })

  test('differs from another by the last digit of a number, even if a session shows fewer', async () => {
    const { knex } = database()
    await createDocuments(knex, 5)
    const options = { method: 'hnsw', metric: 'l2', name: 'partial' } as const
    await createVectorIndex(
      knex,
      vectorIndex(embedding, { ...options, where: 'id::float8 > 0.30000000000000004' }),
      quiet,
    )
    await knex.transaction(async (trx) => {
      await trx.raw('set local extra_float_digits = 0')
      const other = vectorIndex(embedding, { ...options, where: 'id::float8 > 0.3' })
      await expectError('INDEX_DIFFERS', () => createVectorIndex(trx, other, quiet))
    })
  })

  test('is kept by a role that may make no temporary tables, and seen where nothing can be written', async () => {
    const { knex } = database()
    await createDocuments(knex, 5)
    const partial = vectorIndex(embedding, { method: 'hnsw', metric: 'l2', where: 'id in (1, 2)' })
    await createVectorIndex(knex, partial, quiet)
    const rolledBackAfter = knex.transaction(async (trx) => {
      await trx.raw(`do $$ begin execute format('revoke temporary on database %I from public', current_database()); end $$;
        create role test_without_temporary;
        grant select on documents to test_without_temporary;
        set local role test_without_temporary;
        set transaction read only`)
      expect((await createVectorIndex(trx, partial, quiet)).status).toBe('kept')
      throw new Error('enough')
    })
    await expect(rolledBackAfter).rejects.toThrow('enough')
  })

  test('differs on a column whose name differs only in a space', async () => {
    const { knex } = database()
    await createDocuments(knex, 0)
    await knex.raw('alter table documents add "E b" vector(3), add "Eb" vector(3)')
    for (const name of ['E b', 'Eb']) {
      const column = vectorColumn('documents', name, { dimensions: 3 })
      const each = vectorIndex(column, { method: 'hnsw', metric: 'l2', name: `index of ${name}` })
      expect(await createVectorIndex(knex, each, quiet)).toMatchObject({ status: 'built', name: `index of ${name}` })
    }
  })

  test('is kept if another role created it after ours was dropped', async () => {
    const { knex } = database()
    await createDocuments(knex, 5)
    await createVectorIndex(knex, index, quiet)
    await dropVectorIndex(knex, index, quiet)
    await knex.raw('create index ?? on documents using hnsw (embedding vector_cosine_ops)', [index.name])
    expect((await createVectorIndex(knex, index, quiet)).status).toBe('kept')
    expect((await dropVectorIndex(knex, index, quiet)).status).toBe('kept')
  })

  test('is kept if another session created it first', async () => {
    const { knex } = database()
    await createDocuments(knex, 5)
    // The moment between the look and the build, when the log is written.
    await knex.raw(`
      create function by_hand() returns trigger language plpgsql as $$ begin
        create index ${index.name} on documents using hnsw (embedding vector_cosine_ops);
        return new;
      end $$;
      create trigger by_hand after insert on pgvector_migration_log
        for each row when (new.event = 'index begun') execute function by_hand()`)
    expect((await createVectorIndex(knex, index, quiet)).status).toBe('kept')
    expect((await dropVectorIndex(knex, index, quiet)).status).toBe('kept')
  })

  test('is made of the longest vectors that ivfflat takes, though there are few of them', async () => {
    const { knex } = database()
    await createDocuments(knex, 0)
    await knex.raw(`create table long (v vector(2000));
      insert into long select array_agg(random()) from generate_series(1, 2000 * 60) i group by i % 60`)
    const long = vectorIndex(vectorColumn('long', 'v', { dimensions: 2000 }), { method: 'ivfflat', metric: 'l2' })
    expect((await createVectorIndex(knex, long, { ...quiet, maxMemory: '256MB' })).status).toBe('built')
  })

  test('works with mixed-case names in any schema, and with the extension in another one', async () => {
    const { knex } = database()
    await knex.raw('create schema "My ""vectors"""; create schema "Other place"')
    await knex.raw('create extension vector schema "My ""vectors"""')
    await knex.raw('create table "Other place"."Doc.s" (id int, "Em bed" "My ""vectors""".vector(2100))')
    const column = vectorColumn('Doc.s', 'Em bed', { schema: 'Other place', dimensions: 2100 })
    for (const storage of ['halfvec', 'binary'] as const) {
      const each = vectorIndex(column, { method: 'hnsw', metric: 'cosine', storage, name: `Index ${storage}` })
      expect(await createVectorIndex(knex, each, quiet)).toMatchObject({ status: 'built', isUsed: true })
      expect(await createVectorIndex(knex, each, quiet)).toMatchObject({ status: 'kept', warnings: [] })
    }
  })

  test.each([
    { type: 'halfvec', dimensions: 3072, method: 'hnsw', metric: 'cosine' },
    { type: 'bit', dimensions: 64, method: 'hnsw', metric: 'jaccard' },
    { type: 'bit', dimensions: 64, method: 'ivfflat', metric: 'hamming' },
    { type: 'sparsevec', dimensions: 30_000, method: 'hnsw', metric: 'l1' },
    { type: 'vector', dimensions: 1536, method: 'hnsw', metric: 'innerProduct' },
  ] as const)('builds $method for $metric on $type', async ({ type, dimensions, method, metric }) => {
    const { knex } = database()
    await createDocuments(knex, 0)
    await knex.raw(`alter table documents add column other ${type}(${dimensions})`)
    const column = vectorColumn('documents', 'other', { type, dimensions })
    const each = vectorIndex<typeof type, never>(column, { method, metric } as never)
    expect(await createVectorIndex(knex, each, { ...quiet, whenEmpty: 'build' })).toMatchObject({
      status: 'built',
      isUsed: true,
    })
    expect(await createVectorIndex(knex, each, quiet)).toMatchObject({ status: 'kept' })
  })

  describe('of ivfflat', () => {
    const lists = vectorIndex(embedding, { method: 'ivfflat', metric: 'l2' })

    test('refuses a table without rows', async () => {
      const { knex } = database()
      await createDocuments(knex, 0)
      const { hint } = await expectError('INDEX_NEEDS_ROWS', () => createVectorIndex(knex, lists, quiet))
      expect(hint).toContain('hnsw')
      expect(await indexesOf(knex)).toEqual([])
    })

    test('is postponed where that was said', async () => {
      const { knex } = database()
      await createDocuments(knex, 0)
      const result = await createVectorIndex(knex, lists, { ...quiet, whenEmpty: 'postpone' })
      expect(result).toMatchObject({ status: 'postponed', name: null })
      expect(result.warnings).toEqual([expect.stringContaining('It was not built')])
      expect(await indexesOf(knex)).toEqual([])
    })

    test('chooses its lists from the rows', async () => {
      const { knex } = database()
      await createDocuments(knex, 3100)
      expect(await createVectorIndex(knex, lists, quiet)).toMatchObject({ status: 'built', isUsed: true, warnings: [] })
      const [built] = await indexesOf(knex)
      expect(built?.definition).toContain(`lists='3'`)
      expect(await createVectorIndex(knex, lists, quiet)).toMatchObject({ status: 'kept' })
    })

    test('warns, with a remedy, where pgvector says that there is little data', async () => {
      const { knex } = database()
      await createDocuments(knex, 20)
      const many = vectorIndex(embedding, { method: 'ivfflat', metric: 'l2', lists: 50 })
      const { warnings } = await createVectorIndex(knex, many, quiet)
      expect(warnings).toEqual([expect.stringContaining('build it again when there are more')])
    })
  })

  describe('in a transaction', () => {
    test('builds on a table that was made in it', async () => {
      const { knex } = database()
      await knex.transaction(async (trx) => {
        await createDocuments(trx, 50)
        expect(await createVectorIndex(trx, index, quiet)).toMatchObject({ status: 'built', isUsed: true })
      })
      expect(await indexesOf(knex)).toHaveLength(1)
    })

    test('builds on a table that was made in a savepoint of it', async () => {
      const { knex } = database()
      await knex.transaction(async (trx) => {
        await trx.transaction((savepoint) => createDocuments(savepoint, 50))
        expect((await createVectorIndex(trx, index, quiet)).status).toBe('built')
      })
    })

    test('builds on a table without rows', async () => {
      const { knex } = database()
      await createDocuments(knex, 0)
      await knex.transaction(async (trx) => {
        expect((await createVectorIndex(trx, index, quiet)).status).toBe('built')
      })
    })

    test('refuses a table with rows, also one that it has altered, and the transaction goes on', async () => {
      const { knex } = database()
      await createDocuments(knex, 5)
      await knex.transaction(async (trx) => {
        await trx.raw('alter table documents add column more int')
        const { hint } = await expectError('INDEX_BUILD_FAILED', () => createVectorIndex(trx, index, quiet))
        expect(hint).toContain('config.transaction = false')
        await trx.raw('select 1')
      })
      expect(await indexesOf(knex)).toEqual([])
    })

    test('drops what it built, and nothing where the transaction is undone', async () => {
      const { knex } = database()
      await createDocuments(knex, 5)
      await createVectorIndex(knex, index, quiet)
      const undone = knex.transaction(async (trx) => {
        expect((await dropVectorIndex(trx, index, quiet)).status).toBe('dropped')
        throw new Error('changed my mind')
      })
      await expect(undone).rejects.toThrow('changed my mind')
      expect(await indexesOf(knex)).toHaveLength(1)
    })
  })

  describe('of a table whose policies hide its rows from its owner', () => {
    // The policy fails where the application has not said who asks.
    async function asOwner(rows: number, run: (trx: Knex.Transaction) => Promise<void>): Promise<void> {
      const { knex } = database()
      await createDocuments(knex, rows)
      await rolledBack(knex, async (trx) => {
        await trx.raw(`
          create role test_owner;
          grant create on schema public to test_owner;
          alter table documents owner to test_owner;
          alter table documents enable row level security;
          alter table documents force row level security;
          create policy "by tenant" on documents using (note = current_setting('application.tenant'));
          set local role test_owner`)
        await run(trx)
      })
    }

    test('is refused in a transaction, as of any table with rows', async () => {
      await asOwner(300, async (trx) => {
        const { hint } = await expectError('INDEX_BUILD_FAILED', () => createVectorIndex(trx, index, quiet))
        expect(hint).toContain('config.transaction = false')
      })
    })

    test('is built in a transaction where there are no rows to be hidden', async () => {
      await asOwner(0, async (trx) => {
        expect(await createVectorIndex(trx, index, quiet)).toMatchObject({ status: 'built', rows: 0 })
      })
    })

    test.each([false, true])('is planned for about as many rows as there are (analysed: %s)', async (isAnalysed) => {
      await asOwner(3000, async (trx) => {
        if (isAnalysed) await trx.raw('analyze documents')
        for (const each of [index, vectorIndex(embedding, { method: 'ivfflat', metric: 'l2' })]) {
          const { rows } = await readIndexFacts(sessionOf(trx), each)
          expect(rows).toBeGreaterThan(2000)
          expect(rows).toBeLessThan(6000)
        }
      })
    })

    test('does not get a column that must have values', async () => {
      await asOwner(30, async (trx) => {
        const needed = vectorColumn('documents', 'needed', { dimensions: 3, notNull: true })
        await expectError('COLUMN_NEEDS_VALUES', () => addVectorColumn(trx, needed, quiet))
        await trx.raw('select 1')
      })
    })
  })

  test('puts every setting back, also after a failure and in a transaction', async () => {
    const { knex } = database()
    await createDocuments(knex, 30)
    const settings = async (db: typeof knex): Promise<unknown> => {
      const { rows } = await db.raw(
        `select name, setting from pg_settings where name ~ '(timeout|maintenance|messages|interval)$|scan_size|work_mem' order by 1`,
      )
      return rows
    }
    await knex.transaction(async (trx) => {
      await trx.raw(`set local maintenance_work_mem = '5MB'; set local lock_timeout = 77`)
      const before = await settings(trx)
      await trx.raw('create table others (embedding vector(16))')
      const column = vectorColumn('others', 'embedding', { dimensions: 16 })
      await createVectorIndex(trx, vectorIndex(column, { method: 'hnsw', metric: 'l2' }), quiet)
      expect(await settings(trx)).toEqual(before)
    })
    const before = await settings(knex)
    await createVectorIndex(knex, index, quiet)
    expect(await settings(knex)).toEqual(before)
    const hungry = vectorIndex(embedding, { method: 'ivfflat', metric: 'l2', lists: 30_000 })
    const { details } = await expectError('INDEX_NEEDS_MEMORY', () =>
      createVectorIndex(knex, hungry, { ...quiet, maxMemory: '1MB' }),
    )
    expect(details).toMatchObject({ kind: 'maintenance_work_mem', needed: expect.stringContaining('memory required') })
    expect(await settings(knex)).toEqual(before)
    expect((await indexesOf(knex)).map(({ name }) => name)).toEqual([index.name, 'others_embedding_hnsw_l2_idx'])
  })

  test('reports a condition that fails', async () => {
    const { knex } = database()
    await createDocuments(knex, 30)
    const failing = vectorIndex(embedding, { method: 'hnsw', metric: 'l2', where: '1 / (id - 5) > 0' })
    const { message } = await expectError('INDEX_BUILD_FAILED', () => createVectorIndex(knex, failing, quiet))
    expect(message).toContain('division by zero')
    expect(await indexesOf(knex)).toEqual([])
  })
})
