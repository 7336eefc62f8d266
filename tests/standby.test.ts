import Knex from 'knex'

import { diagnose } from '../src/doctor.ts'
import {
  addVectorColumn,
  backfillVectors,
  copyVectors,
  createVectorIndex,
  dropPgvector,
  dropVectorColumn,
  dropVectorIndex,
  embedding as declareEmbedding,
  ensurePgvector,
  findDependents,
  inspectPgvector,
  keepInStep,
  listVectorIndexes,
  measureRecall,
  migrateToLatest,
  nearestRows,
  repairVectorIndexes,
  setUpInStep,
  vectorColumn,
  vectorIndex,
  verifyPgvector,
} from '../src/index.ts'
import { createMigrator } from '../src/migrator.ts'
import { createDocuments, embedding } from './support/documents.ts'
import { expectError } from './support/expect-error.ts'
import { sourceOf, twoTables } from './support/fleets.ts'
import { hasMachines, MACHINE_IMAGE } from './support/machine.ts'
import { startStandby, type RunningStandby } from './support/standby.ts'

const silent = { logger: false } as const
const describeWithMachines = hasMachines ? describe : describe.skip

const index = vectorIndex(embedding, { method: 'hnsw', metric: 'l2' })
const unbuilt = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })
const articles = declareEmbedding<{ title: string }>('articles', {
  column: vectorColumn('articles', 'embedding', { dimensions: 3 }),
  from: ['title'],
  model: 'small-3',
})
const spare = vectorColumn('documents', 'spare', { dimensions: 3 })
const notes = declareEmbedding('documents', { column: embedding, from: ['note'], model: 'small-3' })
const never = (): Promise<never> => Promise.reject(new Error('the model is not called on a standby'))
const first = { migrationSource: sourceOf({ '001_first': ['create table first (id int)', 'drop table first'] }) }
const both = { migrationSource: sourceOf(twoTables) }

async function fill(urlOf: (database: string) => string): Promise<void> {
  const administrator = Knex({ client: 'pg', connection: urlOf('postgres') })
  await administrator.raw('create database enabled')
  await administrator.raw("create role app login password 'app'")
  await administrator.destroy()
  const knex = Knex({ client: 'pg', connection: urlOf('enabled') })
  await createDocuments(knex, 500)
  await createVectorIndex(knex, index, silent)
  await knex.raw('create table articles (id bigint primary key, title text not null, embedding vector(3))')
  await setUpInStep(knex, articles, silent)
  await knex.raw(`insert into articles (id, title) values (1, 'one')`)
  await knex.raw('grant select on documents to app')
  await knex.raw('alter table documents add column spare vector(3)')
  await knex.raw('create index invalid on documents using hnsw (embedding vector_ip_ops)')
  await knex.raw(`update pg_index set indisvalid = false where indexrelid = 'invalid'::regclass`)
  await migrateToLatest(knex, first)
  await knex.destroy()
}

describeWithMachines(`a hot standby [${MACHINE_IMAGE}]`, () => {
  let servers: RunningStandby | null = null
  const opened: Knex.Knex[] = []

  const connect = (database = 'enabled', role?: string): Knex.Knex => {
    if (servers === null) throw new Error('the standby did not start')
    const url = new URL(servers.standbyUrl(database))
    if (role !== undefined) Object.assign(url, { username: role, password: role })
    const knex = Knex({ client: 'pg', connection: url.href })
    opened.push(knex)
    return knex
  }

  beforeAll(async () => {
    servers = await startStandby(fill)
  }, 60_000)

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((knex) => knex.destroy()))
  })

  afterAll(async () => {
    await servers?.stop()
  })

  test('is fine for an application to start on where pgvector is enabled', async () => {
    const knex = connect()
    expect((await ensurePgvector(knex, silent)).status).toBe('unchanged')
    expect((await ensurePgvector(knex, { ...silent, verify: true })).status).toBe('unchanged')
    await verifyPgvector(knex)
  })

  test('is searched, and its index measured, as a role that may only select', async () => {
    const knex = connect('enabled', 'app')
    const query = Array.from({ length: 16 }, () => 0.5)
    const { rows, isComplete } = await nearestRows(knex, index, query, { limit: 5 })
    expect({ found: rows.length, isComplete }).toEqual({ found: 5, isComplete: true })
    const measured = await measureRecall(knex, index, { sample: 100, target: 0.9 })
    expect(measured).toMatchObject({ n: 100, verdict: 'reached' })
  })

  test('answers a search that the index alone leaves short', async () => {
    const where = { id: 77 }
    const { rows, isComplete } = await nearestRows(connect(), index, Array(16).fill(0.5), { limit: 5, where })
    expect({ found: rows.length, isComplete }).toEqual({ found: 1, isComplete: true })
  })

  test('lists its indexes and dependents', async () => {
    const knex = connect()
    expect((await listVectorIndexes(knex)).map(({ name }) => name)).toContain(`public.${index.name}`)
    expect((await findDependents(knex)).objects.map(({ name }) => name)).toContain('public.documents.embedding')
    expect((await inspectPgvector(knex)).readOnly).toEqual({ reason: 'standby', primary: '127.0.0.1:5432' })
  })

  test('is diagnosed completely, and the doctor names its primary', async () => {
    const findings = await diagnose(connect(), both)
    const standby = findings.find(({ message }) => message.includes('standby'))
    expect(standby).toMatchObject({ check: 'server', level: 'warning' })
    expect(standby?.next).toContain('127.0.0.1:5432')
    expect(findings.filter(({ level }) => level === 'unknown')).toEqual([])
    expect(findings.find(({ check }) => check === 'embeddings')?.message).toContain('articles')
    const commands = findings.flatMap(({ next = '' }) => (next.startsWith('npx knex-pgvector up') ? [next] : []))
    expect(commands).toEqual(['npx knex-pgvector up -- on the primary server'])
  })

  test('shows which migrations are applied and pending', async () => {
    const status = await createMigrator(connect(), both).status()
    expect(status.map(({ name, state }) => `${name} ${state}`)).toEqual(['001_first applied', '002_second pending'])
  })

  test.each<[string, (knex: Knex.Knex) => Promise<unknown>]>([
    ['dropping pgvector', (knex) => dropPgvector(knex, silent)],
    ['a run of migrations', (knex) => migrateToLatest(knex, both)],
    ['rolling back', (knex) => createMigrator(knex, first).down({ steps: 1 })],
    ['a rehearsal', (knex) => createMigrator(knex, both).rehearse()],
    ['building an index', (knex) => createVectorIndex(knex, unbuilt, silent)],
    ['dropping an index', (knex) => dropVectorIndex(knex, index, silent)],
    ['repairing indexes', (knex) => repairVectorIndexes(knex, silent)],
    ['adding a column', (knex) => addVectorColumn(knex, vectorColumn('documents', 'other', { dimensions: 3 }), silent)],
    ['dropping a column', (knex) => dropVectorColumn(knex, spare, { ...silent, onlyOurs: false })],
    ['backfilling', (knex) => backfillVectors(knex, articles.column, { ...silent, read: ['title'], embed: never })],
    ['setting up what keeps vectors in step', (knex) => setUpInStep(knex, notes, silent)],
    ['a worker that keeps vectors in step', (knex) => keepInStep(knex, articles, { ...silent, embed: never })],
    ['copying', (knex) => copyVectors(knex, 'documents', ['embedding'], [{ embedding: Array(16).fill(1) }])],
  ])('refuses %s at once, and says where the primary is', async (_title, run) => {
    const error = await expectError('READ_ONLY', () => run(connect()))
    expect(error.details).toEqual({ reason: 'standby', primary: '127.0.0.1:5432' })
    expect(error.message).toBe('This server is a standby and cannot be changed')
    expect(error.hint).toContain('127.0.0.1:5432')
  })

  test('refuses to enable pgvector where it is not enabled', async () => {
    await expectError('READ_ONLY', () => ensurePgvector(connect('postgres'), silent))
  })

  test('does not say where its primary is to a role that may not see it', async () => {
    const error = await expectError('READ_ONLY', () => createVectorIndexAs('app'))
    expect(error.details).toEqual({ reason: 'standby', primary: null })
    expect(error.hint).toBe('Connect to the primary server; the standby receives the change from it.')
  })

  const createVectorIndexAs = (role: string): Promise<unknown> => ensurePgvector(connect('postgres', role), silent)
})
