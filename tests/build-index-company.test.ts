import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'

import Knex from 'knex'

import {
  createVectorIndex,
  dropVectorIndex,
  ensurePgvector,
  type IndexBuildEvent,
  vectorColumn,
  vectorIndex,
} from '../src/index.ts'
import { rowsInMemory } from '../src/pgvector/graph-memory.ts'
import { describeOnServers } from './support/databases.ts'
import { addDocuments, createDocuments, embedding, indexesOf } from './support/documents.ts'
import { expectError } from './support/expect-error.ts'
import { hold, holders, phaseReached, startHeld, until } from './support/phases.ts'

const index = vectorIndex(embedding, { method: 'hnsw', metric: 'l2', efConstruction: 400 })
const quiet = { logger: false } as const
const MEBIBYTE = 1024 * 1024

describeOnServers('a build in company', (database) => {
  test('is done once by two runners at once, and both succeed', async () => {
    const { knex, connect } = database()
    await createDocuments(knex, 1500)
    const results = await Promise.all([
      createVectorIndex(knex, index, quiet),
      createVectorIndex(connect(), index, quiet),
    ])
    expect(results.map(({ status }) => status).toSorted()).toEqual(['built', 'kept'])
    expect(await indexesOf(knex)).toEqual([expect.objectContaining({ name: index.name, isValid: true })])
  })

  test('waits for a session that builds the same index by hand', async () => {
    const { knex, connect } = database()
    await createDocuments(knex, 2500)
    const byHand = connect()
    const made = byHand
      .raw(
        'create index concurrently other on documents using hnsw (embedding vector_l2_ops) with (ef_construction = 400)',
      )
      .then(() => 'made')
    const processId = await phaseReached(knex, 'loading tuples')
    const events: IndexBuildEvent[] = []
    const result = await createVectorIndex(knex, index, { ...quiet, onEvent: (event) => events.push(event) })
    expect(result).toMatchObject({ status: 'kept', name: 'other' })
    expect(events[0]).toEqual({ type: 'waiting', index: index.name, for: 'build', blockers: [processId] })
    expect(await made).toBe('made')
  })

  test.each(['create index concurrently', 'create index'])(
    'waits for a build that its role may not see: %s',
    async (create) => {
      const { knex, url, connect } = database()
      await createDocuments(knex, 2500)
      const role = `builder_${randomBytes(6).toString('hex')}`
      await knex.raw(`create role ${role} login password 'test'; grant create on schema public to ${role};
        alter table documents owner to ${role}`)
      try {
        const made = connect()
          .raw(`${create} other on documents using hnsw (embedding vector_l2_ops) with (ef_construction = 400)`)
          .then(() => 'made')
        const processId = await phaseReached(knex, 'loading tuples')
        const account = new URL(url ?? '')
        account.username = role
        account.password = 'test'
        const events: IndexBuildEvent[] = []
        const onEvent = (event: IndexBuildEvent): void => void events.push(event)
        const result = await createVectorIndex(connect({ connection: account.href }), index, { ...quiet, onEvent })
        expect(result).toMatchObject({ status: 'kept', name: 'other' })
        expect(events[0]).toEqual({ type: 'waiting', index: index.name, for: 'build', blockers: [processId] })
        expect(await made).toBe('made')
      } finally {
        await knex.raw(`reassign owned by ${role} to current_user; drop owned by ${role}; drop role ${role}`)
      }
    },
  )

  test('reports its progress', async () => {
    const { knex } = database()
    await createDocuments(knex, 6000)
    const events: IndexBuildEvent[] = []
    await createVectorIndex(knex, index, { ...quiet, onEvent: (event) => events.push(event) })
    const progress = events.filter((event) => event.type === 'progress')
    const loading = progress.find(({ phase, percent }) => phase === 'loading tuples' && (percent ?? 0) > 0)
    expect(loading).toMatchObject({ index: index.name, percent: expect.any(Number) })
    expect(loading?.percent).toBeLessThanOrEqual(100)
  })

  test('holds every row that was written meanwhile', async () => {
    const { knex, connect } = database()
    await createDocuments(knex, 300)
    const writer = connect({ pool: { min: 1, max: 1 } })
    const state = { isBuilding: true, written: 0 }
    const snapshot = await hold(knex, holders['waiting for old snapshots'])
    // Held up at its first wait and at its last one, so that rows come before, while and after the table is read.
    const { build, release } = await startHeld(knex, holders['waiting for writers before build'], () =>
      createVectorIndex(knex, index, quiet),
    )
    const writing = (async () => {
      for (; state.isBuilding; state.written++) await addDocuments(writer, 1)
    })()
    const releases = { 'waiting for writers before build': release, 'waiting for old snapshots': snapshot }
    for (const [phase, end] of Object.entries(releases)) {
      await phaseReached(knex, phase)
      const before = state.written
      await until(knex, () => Promise.resolve(state.written > before + 10))
      await end()
    }
    await build
    state.isBuilding = false
    await writing
    // Reading through the index alone, with a list long enough for all.
    const { rows } = await knex.transaction(async (trx) => {
      await trx.raw(`select '[1]'::vector; set local enable_seqscan = off; set local hnsw.ef_search = 1000;
        set local hnsw.iterative_scan = relaxed_order; set local hnsw.max_scan_tuples = 1000000`)
      return trx.raw<{ rows: unknown[] }>(
        `select id from documents order by embedding <-> (select embedding from documents where id = 1)`,
      )
    })
    expect(rows).toHaveLength(300 + state.written)
  })

  test('keeps no writer waiting while it waits for a long transaction, and says for whom it waits', async () => {
    const { knex, connect } = database()
    await createDocuments(knex, 500)
    const long = await connect().transaction()
    await long.raw('update documents set note = null where id = 1')
    const { rows } = await long.raw<{ rows: [{ pid: number }] }>('select pg_backend_pid() as pid')
    const events: IndexBuildEvent[] = []
    const build = createVectorIndex(knex, index, { ...quiet, onEvent: (event) => events.push(event) })
    await until(knex, () => Promise.resolve(events.some(({ type }) => type === 'waiting')))
    const writer = connect()
    const started = performance.now()
    await writer.transaction(async (trx) => {
      await trx.raw('set local lock_timeout = 500')
      await addDocuments(trx, 1)
    })
    expect(performance.now() - started).toBeLessThan(1000)
    expect(events.filter(({ type }) => type === 'waiting')).toEqual([
      { type: 'waiting', index: index.name, for: 'transactions', blockers: [rows[0].pid] },
    ])
    await long.rollback()
    expect((await build).status).toBe('built')
  })

  test('gives up where a long transaction outlasts its patience, before it has done any work', async () => {
    const { knex, connect } = database()
    await createDocuments(knex, 500)
    const long = await connect().transaction()
    await long.raw('update documents set note = null where id = 1')
    const { details } = await expectError('TABLE_BUSY', () => createVectorIndex(knex, index, { ...quiet, wait: 300 }))
    expect(details).toMatchObject({ table: '"public"."documents"', blockers: [expect.any(Number)] })
    await long.rollback()
    expect((await createVectorIndex(knex, index, quiet)).status).toBe('built')
    expect(await indexesOf(knex)).toEqual([expect.objectContaining({ name: index.name, isValid: true })])
  })

  test('in a transaction blocks a writer no longer than lockTimeout', async () => {
    const { knex, connect } = database()
    await createDocuments(knex, 0)
    const long = await connect().transaction()
    await long.raw('lock table documents in row exclusive mode')
    const build = knex.transaction((trx) => createVectorIndex(trx, index, { ...quiet, lockTimeout: 100 }))
    const isQueued = async (): Promise<boolean> => {
      const { rows } = await knex.raw(
        `select from pg_locks where relation = 'documents'::regclass and mode = 'ShareLock' and not granted`,
      )
      return rows.length > 0
    }
    await until(knex, isQueued)
    const writer = await connect().transaction()
    await writer.raw('set local lock_timeout = 1000')
    await addDocuments(writer, 1)
    await writer.rollback()
    await long.rollback()
    expect((await build).status).toBe('built')
  })

  test('drops while a transaction reads', async () => {
    const { knex, connect } = database()
    await createDocuments(knex, 100)
    await createVectorIndex(knex, index, quiet)
    const long = await connect().transaction()
    await long.raw('select * from documents')
    await expectError('TABLE_BUSY', () => dropVectorIndex(knex, index, { ...quiet, wait: 300 }))
    await long.rollback()
    expect((await dropVectorIndex(knex, index, quiet)).status).toBe('dropped')
    expect(await indexesOf(knex)).toEqual([])
  })

  test.each([
    { how: 'by one process', workers: 0, maxMemory: '10MB', memory: 10, rows: 11_500 },
    { how: 'by several', workers: 2, maxMemory: '64MB', memory: 64, rows: 69_000 },
  ])('warns of the row after which the graph spills, built $how', async ({ workers, maxMemory, memory, rows }) => {
    const { knex, major } = database()
    await ensurePgvector(knex, { logger: false })
    await knex.raw(`create table wide (embedding vector(128));
      alter table wide alter column embedding set storage plain;
      insert into wide select array_agg(random()) from generate_series(1, 128 * ${rows}) i group by i % ${rows}`)
    const column = vectorColumn('wide', 'embedding', { dimensions: 128 })
    const wide = vectorIndex(column, { method: 'hnsw', metric: 'l2', m: 8, efConstruction: 16 })
    const { warnings, settings } = await createVectorIndex(knex, wide, { ...quiet, maxMemory, workers })
    expect(settings).toMatchObject({ workers, maintenanceWorkMemory: memory * MEBIBYTE })
    const [predicted, seen] = warnings.map((warning) => Number(/after (?:about )?(\d+) rows/.exec(warning)?.[1]))
    const graph = { type: 'vector', dimensions: 128, m: 8, isParallel: workers > 0, major } as const
    expect(predicted).toBe(rowsInMemory(memory * MEBIBYTE, graph))
    expect(Math.abs((predicted ?? 0) / (seen ?? 0) - 1)).toBeLessThan(0.01)
  })
})

const hasDocker = spawnSync('docker', ['version']).status === 0

const describeWithDocker = hasDocker ? describe : describe.skip

describeWithDocker('a server with little shared memory [docker]', () => {
  test('builds with one process and says so', async () => {
    const { stdout } = spawnSync(
      'docker',
      [
        'run',
        '--rm',
        '-d',
        '--shm-size',
        '16m',
        '-e',
        'POSTGRES_PASSWORD=test',
        '-p',
        '127.0.0.1::5432',
        'pgvector/pgvector:pg17',
      ],
      { encoding: 'utf8' },
    )
    const container = stdout.trim()
    const port = spawnSync('docker', ['port', container, '5432'], { encoding: 'utf8' }).stdout.trim().split(':').at(-1)
    const knex = Knex({ client: 'pg', connection: `postgres://postgres:test@127.0.0.1:${port}/postgres` })
    try {
      await untilReady(container)
      await createDocuments(knex, 0)
      await knex.raw('alter table documents alter note set storage plain')
      await addDocuments(knex, 3000)
      await knex.raw(`update documents set note = repeat('x', 3000)`)
      const { status, warnings, settings } = await createVectorIndex(knex, index, quiet)
      expect({ status, workers: settings?.workers }).toEqual({ status: 'built', workers: 0 })
      expect(warnings).toEqual([expect.stringContaining('--shm-size')])
      expect(await indexesOf(knex)).toEqual([expect.objectContaining({ name: index.name, isValid: true })])
    } finally {
      await knex.destroy()
      spawnSync('docker', ['stop', '-t', '1', container])
    }
  })
})

// The image starts a server to set itself up, which answers only inside the container, and then the real one.
async function untilReady(container: string): Promise<void> {
  for (let answers = 0; answers < 600; answers++) {
    const { status } = spawnSync('docker', [
      'exec',
      '-e',
      'PGPASSWORD=test',
      container,
      'psql',
      '-h',
      '127.0.0.1',
      '-U',
      'postgres',
      '-c',
      'select pg_sleep(0.1)',
    ])
    if (status === 0) return
  }
  throw new Error('the server did not start')
}
