import type { Knex } from 'knex'

import { ensurePgvector, toBinary } from '../src/index.ts'
import { sessionOf } from '../src/database/session.ts'
import { startRecording, statementsOf } from '../src/database/record-statements.ts'
import { describeEmbedded } from './support/databases.ts'

/** What is recorded of a migration's work, as text. */
async function recorded(knex: Knex, transactional: boolean, work: (db: Knex) => Promise<unknown>): Promise<string[]> {
  const recording = startRecording(sessionOf(knex))
  await (transactional ? knex.transaction(async (trx) => work(trx)) : work(knex))
  recording.stop()
  return statementsOf(recording.sent, transactional).map(({ sql }) => sql)
}

describeEmbedded('recording what a migration sends', (database) => {
  test('keeps everything it sends itself, one statement each, with its bindings in it', async () => {
    const statements = await recorded(database().knex, true, async (db) => {
      await db.schema.createTable('notes', (table) => {
        table.increments()
        table.string('body').notNullable().index()
      })
      await db('notes').insert({ body: "it's here" })
      await db.raw(`select setval('notes_id_seq', 10); comment on table notes is 'a;b'`)
      await db.schema.hasTable('notes')
    })
    expect(statements).toEqual([
      'create table "notes" ("id" serial primary key, "body" varchar(255) not null)',
      'create index "notes_body_index" on "notes" ("body")',
      `insert into "notes" ("body") values ('it''s here')`,
      `select setval('notes_id_seq', 10)`,
      `comment on table notes is 'a;b'`,
      `select * from information_schema.tables where table_name = 'notes' and table_schema = current_schema()`,
    ])
  })

  test('keeps vectors in binary format as their text', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    const statements = await recorded(knex, true, async (db) => {
      await db.raw('create table documents (a vector(3), b halfvec(3), c sparsevec(3), d bit(3))')
      await db('documents').insert({
        a: toBinary('vector', [0.1, -2, 1e-7]),
        b: toBinary('halfvec', [0.1, -2, 1e-7]),
        c: toBinary('sparsevec', [0, 0.1, 0]),
        d: toBinary('bit', '101'),
      })
    })
    expect(statements[1]).toBe(
      `insert into "documents" ("a", "b", "c", "d") values ('[0.1,-2,1e-7]', '[0.1,-2,1e-7]', '{2:0.1}/3', '101')`,
    )
  })

  test('leaves out what failed or was rolled back', async () => {
    const statements = await recorded(database().knex, true, async (db) => {
      await db.raw('create table kept (id int)')
      await db
        .transaction(async (savepoint) => {
          await savepoint.raw('create table lost (id int)')
          await savepoint.transaction(async (inner) => inner.raw('create table inner_one (id int)'))
          await savepoint.raw('select 1/0')
        })
        .catch(() => undefined)
      await db.transaction(async (savepoint) => savepoint.raw('create table kept_too (id int)'))
    })
    expect(statements).toEqual(['create table kept (id int)', 'create table kept_too (id int)'])
  })

  test('keeps the transactions that a migration opens where it runs in none', async () => {
    const { knex } = database()
    const statements = await recorded(knex, false, async (db) => {
      await db.raw('create table one (id int)')
      await db.transaction(async (trx) => trx.raw('create table two (id int)'), { isolationLevel: 'serializable' })
      await db
        .transaction(async (trx) => {
          await trx.raw('create table lost (id int)')
          throw new Error('the migration changed its mind')
        })
        .catch(() => undefined)
      await db.transaction(async () => undefined)
      // PostgreSQL runs what comes in one round trip as one transaction.
      await db.raw('create table three (id int); create table four (id int)')
      await db.raw('begin; create table five (id int); commit')
    })
    expect(statements).toEqual([
      'create table one (id int)',
      'begin transaction isolation level serializable',
      'create table two (id int)',
      'commit',
      'begin',
      'create table three (id int)',
      'create table four (id int)',
      'commit',
      'begin',
      'create table five (id int)',
      'commit',
    ])
  })

  test('treats a commit that fails as a rollback', async () => {
    const { knex } = database()
    await knex.raw('create table once (id int unique deferrable initially deferred)')
    const statements = await recorded(knex, false, async (db) => {
      await db.transaction(async (trx) => trx.raw('insert into once values (1), (1)')).catch(() => undefined)
      await db.raw('insert into once values (2)')
    })
    expect(statements).toEqual(['insert into once values (2)'])
  })

  test('leaves out the questions of this library, and marks what needs a privileged role', async () => {
    const { knex } = database()
    const recording = startRecording(sessionOf(knex))
    await knex.transaction(async (trx) => {
      await ensurePgvector(trx, { logger: false, schema: 'extensions', createSchema: true })
      await ensurePgvector(trx, { logger: false })
      await trx.raw('do $$ begin create extension if not exists plpgsql; end $$')
      await trx.raw('-- not needed any more\ndrop extension vector')
    })
    recording.stop()
    const shown = statementsOf(recording.sent, true).map(({ sql, privileged }) => [sql.slice(0, 35), privileged])
    expect(shown).toEqual([
      ['create schema if not exists "extens', false],
      ['create extension vector with schema', true],
      ['create table "public"."pgvector_mig', false],
      ['comment on table "public"."pgvector', false],
      ['insert into "public"."pgvector_migr', false],
      ['do $$ begin create extension if not', true],
      ['-- not needed any more\ndrop extensi', true],
    ])
  })

  test('ends when it is stopped', async () => {
    const { knex } = database()
    const recording = startRecording(sessionOf(knex))
    recording.stop()
    await knex.raw('select 1')
    expect(recording.sent).toEqual([])
    expect(knex.listenerCount('query')).toBe(0)
  })
})
