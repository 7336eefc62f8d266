import { randomBytes } from 'node:crypto'

import type { Knex } from 'knex'

import {
  listVectorIndexes,
  planVectorIndex,
  repairVectorIndexes,
  listIndexBuilds,
  vectorColumn,
  vectorIndex,
  type VectorIndex,
} from '../src/index.ts'
import { diagnose } from '../src/doctor.ts'
import { describeOnServers } from './support/databases.ts'
import { createDocuments, embedding } from './support/documents.ts'
import { follow, of, two } from './support/findings.ts'
import { hold, holders, phaseReached } from './support/phases.ts'

const index = vectorIndex(embedding, { method: 'hnsw', metric: 'l2' })
const quiet = { logger: false } as const
const byHand = `create index concurrently ${index.name} on documents using hnsw (embedding vector_l2_ops)`

const REPAIR = 'npx knex-pgvector index repair'

/** Has a build fail because a writer had the table. */
async function leaveInvalid(knex: Knex, builder: Knex, statement: string, writes: string): Promise<void> {
  const release = await hold(knex, writes)
  await builder.raw(`set lock_timeout = '100ms'`)
  await expect(builder.raw(statement)).rejects.toMatchObject({ code: '55P03' })
  await release()
}

/** What `index list`, the doctor and the builder say of one index. */
async function answersOf(knex: Knex, wanted: VectorIndex): Promise<unknown> {
  const listed = (await listVectorIndexes(knex)).find(({ name }) => name === `public.${wanted.name}`)
  const findings = of(await diagnose(knex, two), 'indexes').filter(({ message }) => message.includes(wanted.name))
  const plan = await planVectorIndex(knex, wanted)
  return {
    list: { isValid: listed?.isValid, isInWork: listed?.isInWork, isLeftover: listed?.isLeftover },
    doctor: findings.filter(({ message }) => message.startsWith('the ')).map(({ level, next }) => ({ level, next })),
    builder: plan.action === 'build' ? { action: 'build', drops: plan.leftovers.map(({ name }) => name) } : plan.action,
  }
}

const isBeingBuilt = {
  list: { isValid: false, isInWork: true, isLeftover: false },
  doctor: [{ level: 'unknown', next: 'Run this again when it has ended.' }],
  builder: 'wait',
}

const isInvalid = ({ name }: VectorIndex): unknown => ({
  list: { isValid: false, isInWork: false, isLeftover: false },
  doctor: [{ level: 'error', next: REPAIR }],
  builder: { action: 'build', drops: [name] },
})

describeOnServers('index list, the doctor and the builder', (database) => {
  test('agree on an index that a failed build left invalid, and on what repairs it', async () => {
    const { knex, connect } = database()
    await createDocuments(knex, 50)
    await leaveInvalid(knex, connect({ pool: { min: 1, max: 1 } }), byHand, holders['waiting for writers before build'])
    expect(await answersOf(knex, index)).toEqual(isInvalid(index))
    const [finding] = of(await diagnose(knex, two), 'indexes')
    await follow(knex, finding)
    expect(await answersOf(knex, index)).toEqual({
      list: { isValid: true, isInWork: false, isLeftover: false },
      doctor: [],
      builder: 'keep',
    })
  })

  test('agree on an index that another session is building, and leave it alone', async () => {
    const { knex, connect } = database()
    await createDocuments(knex, 50)
    const release = await hold(knex, holders['waiting for writers before build'])
    const built = connect()
      .raw(byHand)
      .then(() => 'built')
    const processId = await phaseReached(knex, 'waiting for writers before build')
    expect(await answersOf(knex, index)).toEqual(isBeingBuilt)
    expect(await repairVectorIndexes(knex, quiet)).toMatchObject({
      rebuilt: [],
      left: [{ name: `public.${index.name}`, reason: 'another session is building it' }],
    })
    expect(await listIndexBuilds(knex)).toMatchObject([{ processId, index: index.name, table: 'documents' }])
    await release()
    expect(await built).toBe('built')
  })

  test('agree for a role that may not see what other sessions build', async () => {
    const { knex, url, connect } = database()
    await createDocuments(knex, 50)
    await knex.raw('create table notes (id serial primary key, embedding vector(16))')
    const other = vectorIndex(vectorColumn('notes', 'embedding', { dimensions: 16 }), { method: 'hnsw', metric: 'l2' })
    await leaveInvalid(
      knex,
      connect({ pool: { min: 1, max: 1 } }),
      `create index concurrently ${other.name} on notes using hnsw (embedding vector_l2_ops)`,
      'insert into notes (embedding) values (null)',
    )
    const role = `looker_${randomBytes(6).toString('hex')}`
    await knex.raw(`create role ${role} login password 'test'; grant create on schema public to ${role};
      alter table documents owner to ${role}; alter table notes owner to ${role}`)
    try {
      const release = await hold(knex, holders['waiting for writers before build'])
      const built = connect()
        .raw(byHand)
        .then(() => 'built')
      const processId = await phaseReached(knex, 'waiting for writers before build')
      const account = new URL(url ?? '')
      account.username = role
      account.password = 'test'
      const asRole = connect({ connection: account.href })
      expect(await answersOf(asRole, index)).toEqual(isBeingBuilt)
      expect(await answersOf(asRole, other)).toEqual(isInvalid(other))
      expect(await listIndexBuilds(asRole)).toMatchObject([{ processId, index: null, table: 'documents' }])
      await release()
      expect(await built).toBe('built')
    } finally {
      await knex.raw(`reassign owned by ${role} to current_user; drop owned by ${role}; drop role ${role}`)
    }
  })

  test('agree on the memory that a rebuild needs, where many rows have no vector', async () => {
    const { knex } = database()
    await createDocuments(knex, 100)
    await knex.raw(`insert into documents (note) select 'none' from generate_series(1, 300);
      create index ${index.name} on documents using hnsw (embedding vector_l2_ops);
      analyze documents;
      update pg_class set reltuples = 12000000 where relname = 'documents'`)
    const [listed] = await listVectorIndexes(knex)
    const [finding] = of(await diagnose(knex, two), 'settings')
    const needed = `${((listed?.buildMemory ?? 0) / 1024 ** 3).toFixed(1)} GB`
    expect(finding?.message).toContain(`the index ${index.name} on documents`)
    expect(finding?.message).toContain(`needs about ${needed} to be built in memory`)
    expect(finding?.message).toContain('of its 3,000,000 rows')
    expect(listed).toMatchObject({ rows: 12_000_000, isQuickToRebuild: false })
  })
})
