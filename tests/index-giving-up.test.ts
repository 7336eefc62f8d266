import type { Knex } from 'knex'

import {
  createVectorIndex,
  dropVectorIndex,
  DropVectorIndex,
  migration,
  repairVectorIndexes,
  upgradePgvector,
  vectorIndex,
} from '../src/index.ts'
import { createMigrator } from '../src/migrator.ts'
import { describeOnServers } from './support/databases.ts'
import { createDocuments, embedding, indexesOf } from './support/documents.ts'
import { expectError } from './support/expect-error.ts'
import { until } from './support/phases.ts'
import { recordingLogger } from './support/recorder.ts'

const index = vectorIndex(embedding, { method: 'hnsw', metric: 'l2' })
const quiet = { logger: false } as const
const reading = 'select 1 from documents limit 1'
const writing = 'insert into documents (note) values (null)'
const COMMAND = `DROP INDEX CONCURRENTLY "public"."${index.name}";`

/** How work is given up; each is told the backend that works. */
const ways = {
  'its patience ends': () => Promise.resolve(),
  'its signal comes': (_: Knex, __: number, controller: AbortController) => Promise.resolve(controller.abort()),
  'an administrator cancels its statement': (knex: Knex, processId: number) =>
    knex.raw(`select pg_cancel_backend(${processId})`),
  'its connection is lost': (knex: Knex, processId: number) => knex.raw(`select pg_terminate_backend(${processId})`),
} as const
const everyWay = Object.keys(ways) as (keyof typeof ways)[]

async function open(knex: Knex, statement: string): Promise<Knex.Transaction> {
  const trx = await knex.transaction()
  await trx.raw(statement)
  return trx
}

async function eventsOf(knex: Knex): Promise<string[]> {
  return knex('pgvector_migration_log').orderBy('id').pluck('event')
}

/** The backend that waits for a lock on the table of documents. */
async function waiting(knex: Knex): Promise<number> {
  let processId = 0
  await until(knex, async () => {
    const { rows } = await knex.raw<{ rows: { pid: number }[] }>(
      `select pid from pg_locks where relation = 'documents'::regclass and not granted`,
    )
    processId = rows[0]?.pid ?? 0
    return processId !== 0
  })
  return processId
}

/** A migration that drops the index. */
function dropping(onEvent?: () => void): Knex.MigrationSource<string> {
  return {
    getMigrations: () => Promise.resolve(['001_drop']),
    getMigrationName: (name) => name,
    getMigration: () => Promise.resolve(migration([new DropVectorIndex(index, { ...quiet, onEvent })])),
  }
}

describeOnServers('an index that cannot be dropped', (database) => {
  test('stays valid and in use where a transaction has the table open', async () => {
    const { knex, connect } = database()
    await createDocuments(knex, 100)
    await createVectorIndex(knex, index, quiet)
    const before = await eventsOf(knex)
    const reader = await open(connect(), reading)
    const { hint, details } = await expectError('TABLE_BUSY', () =>
      dropVectorIndex(knex, index, { ...quiet, wait: 300 }),
    )
    expect(hint).toContain('nothing was changed')
    expect(details.blockers).toEqual([expect.any(Number)])
    expect(await indexesOf(knex)).toEqual([expect.objectContaining({ name: index.name, isValid: true })])
    expect(await eventsOf(knex)).toEqual(before)
    await reader.rollback()
  })

  test('stays valid where its signal comes while it waits', async () => {
    const { knex, connect } = database()
    await createDocuments(knex, 100)
    await createVectorIndex(knex, index, quiet)
    const reader = await open(connect(), reading)
    const controller = new AbortController()
    const onEvent = (): void => controller.abort()
    const error = await expectError('INDEX_DROP_FAILED', () =>
      dropVectorIndex(knex, index, { ...quiet, onEvent, signal: controller.signal }),
    )
    expect(error.message).toBe(`Index "${index.name}" was not dropped: it was stopped by its caller`)
    expect(error.hint).toContain('Nothing was changed')
    expect(await indexesOf(knex)).toEqual([expect.objectContaining({ name: index.name, isValid: true })])
    await reader.rollback()
  })

  test('stays valid where a run of migrations is stopped while it waits', async () => {
    const { knex, connect } = database()
    await createDocuments(knex, 100)
    await createVectorIndex(knex, index, quiet)
    const reader = await open(connect(), reading)
    const controller = new AbortController()
    const onEvent = (): void => controller.abort('SIGTERM')
    const migrator = createMigrator(knex, { migrationSource: dropping(onEvent) })
    await expectError('MIGRATION_INTERRUPTED', () => migrator.up({ signal: controller.signal }))
    expect(await indexesOf(knex)).toEqual([expect.objectContaining({ name: index.name, isValid: true })])
    await reader.rollback()
  })

  test.each(everyWay)('is reported and logged as invalid where it is past its first step when %s', async (way) => {
    const { knex, connect } = database()
    await createDocuments(knex, 100)
    await createVectorIndex(knex, index, quiet)
    const controller = new AbortController()
    // It looks, and waits for its lock; what comes now it has not seen.
    const locked = await open(connect(), 'lock table documents in share update exclusive mode')
    const wait = way === 'its patience ends' ? 1500 : 30_000
    const dropped = dropVectorIndex(knex, index, { ...quiet, wait, signal: controller.signal }).catch(
      (error: unknown) => error,
    )
    const processId = await waiting(knex)
    const reader = await open(connect(), reading)
    await locked.rollback()
    await until(knex, async () => (await indexesOf(knex)).every(({ isValid }) => !isValid))
    await ways[way](knex, processId, controller)
    const error = await dropped
    expect(error).toMatchObject({ hint: expect.stringContaining(COMMAND) })
    expect(error).toMatchObject({ hint: expect.not.stringMatching(/nothing was changed/i) })
    expect((await eventsOf(knex)).at(-1)).toBe('index left invalid')
    await reader.rollback()
    expect((await dropVectorIndex(knex, index, quiet)).status).toBe('dropped')
    expect(await indexesOf(knex)).toEqual([])
  })

  test('is reported as invalid behind the error of a run of migrations that is stopped', async () => {
    const { knex, connect } = database()
    await createDocuments(knex, 100)
    await createVectorIndex(knex, index, quiet)
    const controller = new AbortController()
    const locked = await open(connect(), 'lock table documents in share update exclusive mode')
    const migrator = createMigrator(knex, { migrationSource: dropping() })
    const stopped = expectError('MIGRATION_INTERRUPTED', () => migrator.up({ signal: controller.signal }))
    await waiting(knex)
    const reader = await open(connect(), reading)
    await locked.rollback()
    await until(knex, async () => (await indexesOf(knex)).every(({ isValid }) => !isValid))
    controller.abort('SIGTERM')
    expect((await stopped).cause).toMatchObject({
      code: 'INDEX_DROP_FAILED',
      hint: expect.stringContaining(COMMAND),
    })
    await reader.rollback()
    expect((await migrator.up()).migrations).toHaveLength(1)
    expect(await indexesOf(knex)).toEqual([])
  })
})

describeOnServers('an index that cannot be built', (database) => {
  test('leaves nothing where a transaction writes to the table', async () => {
    const { knex, connect } = database()
    await createDocuments(knex, 100)
    const writer = await open(connect(), writing)
    const { hint } = await expectError('TABLE_BUSY', () => createVectorIndex(knex, index, { ...quiet, wait: 300 }))
    expect(hint).toContain('nothing was changed')
    expect(await indexesOf(knex)).toEqual([])
    expect(await eventsOf(knex)).toEqual(['enabled'])
    await writer.rollback()
  })

  test('does not wait for transactions that only read', async () => {
    const { knex, connect } = database()
    await createDocuments(knex, 100)
    const reader = await open(connect(), reading)
    expect((await createVectorIndex(knex, index, { ...quiet, wait: 300 })).status).toBe('built')
    await reader.rollback()
  })

  test.each(everyWay)('is reported and logged where it is past its first step when %s', async (way) => {
    const { knex, connect } = database()
    await createDocuments(knex, 100)
    const controller = new AbortController()
    const locked = await open(connect(), 'lock table documents in share update exclusive mode')
    const wait = way === 'its patience ends' ? 1500 : 30_000
    const built = createVectorIndex(knex, index, { ...quiet, wait, signal: controller.signal }).catch(
      (error: unknown) => error,
    )
    const processId = await waiting(knex)
    const writer = await open(connect(), writing)
    await locked.rollback()
    await until(knex, async () => (await indexesOf(knex)).length === 1)
    await ways[way](knex, processId, controller)
    const error = await built
    expect(error).toMatchObject({ hint: expect.stringContaining(COMMAND) })
    expect((await eventsOf(knex)).at(-1)).toBe('index left invalid')
    await writer.rollback()
    expect((await createVectorIndex(knex, index, quiet)).status).toBe('built')
    expect(await indexesOf(knex)).toEqual([expect.objectContaining({ name: index.name, isValid: true })])
  })
})

describeOnServers('an index that cannot be repaired', (database) => {
  test('stays as it is, without an invalid copy, if a transaction writes to the table', async () => {
    const { knex, connect } = database()
    await createDocuments(knex, 100)
    await createVectorIndex(knex, index, quiet)
    await knex.raw('update pg_index set indisvalid = false where indexrelid = ?::regclass', [index.name])
    const before = await eventsOf(knex)
    const writer = await open(connect(), writing)
    const logger = recordingLogger()
    const { left } = await repairVectorIndexes(knex, { logger, wait: 300 })
    expect(left).toEqual([{ name: `public.${index.name}`, reason: expect.stringContaining('Could not lock table') }])
    expect(await indexesOf(knex)).toEqual([expect.objectContaining({ name: index.name, isValid: false })])
    expect(await eventsOf(knex)).toEqual(before)
    await writer.rollback()
    expect(await repairVectorIndexes(knex, quiet)).toMatchObject({ rebuilt: [`public.${index.name}`], left: [] })
  })

  test.each(everyWay)('names the copy that is left where it is past its first step when %s', async (way) => {
    const { knex, connect } = database()
    await createDocuments(knex, 100)
    await createVectorIndex(knex, index, quiet)
    await knex.raw('update pg_index set indisvalid = false where indexrelid = ?::regclass', [index.name])
    const controller = new AbortController()
    const locked = await open(connect(), 'lock table documents in share update exclusive mode')
    const wait = way === 'its patience ends' ? 1500 : 30_000
    const repaired = repairVectorIndexes(knex, { ...quiet, wait, signal: controller.signal }).catch(
      (error: unknown) => error,
    )
    const processId = await waiting(knex)
    const writer = await open(connect(), writing)
    await locked.rollback()
    await until(knex, async () => (await indexesOf(knex)).length === 2)
    await ways[way](knex, processId, controller)
    expect(JSON.stringify(await repaired)).toContain(`${index.name}_ccnew`)
    expect((await eventsOf(knex)).at(-1)).toBe('index left invalid')
    await writer.rollback()
    await repairVectorIndexes(knex, quiet)
    expect(await indexesOf(knex)).toEqual([expect.objectContaining({ name: index.name, isValid: true })])
  })
})

describeOnServers('an upgrade that cannot rebuild an index', (database) => {
  test('reports that the extension was updated, leaves the index as it is, and continues the next time', async () => {
    const { knex, connect, pgvector } = database()
    await createDocuments(knex, 100)
    await createVectorIndex(knex, index, quiet)
    await knex.raw(`update pg_extension set extversion = '0.8.0' where extname = 'vector'`)
    const writer = await open(connect(), writing)
    const upgrade = (): Promise<unknown> => upgradePgvector(knex, { ...quiet, reindex: true, wait: 300 })
    const busy = expect.stringContaining(`Before that, pgvector was updated from 0.8.0 to ${pgvector}.`)
    // A server that has 0.8.0 itself has nothing to update to.
    const expected = pgvector === '0.8.0' ? { status: 'unchanged' } : { code: 'TABLE_BUSY', hint: busy }
    expect(await upgrade().catch((error: unknown) => error)).toMatchObject(expected)
    expect(await indexesOf(knex)).toEqual([expect.objectContaining({ name: index.name, isValid: true })])
    await writer.rollback()
    expect(await upgrade()).toMatchObject({ status: 'unchanged', toRebuild: [] })
  })
})
