import { ensurePgvector } from '../src/index.ts'
import { describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'

const silent = { logger: false } as const
const LANGCHAIN_LOCK = '1573678846307946496'
const MANY = 32

describeOnServers('32 connections that enable pgvector at the same moment', (database) => {
  test('all succeed, and one of them creates it', async () => {
    const knex = database().connect({ pool: { min: MANY, max: MANY } })
    await Promise.all(Array.from({ length: MANY }, () => knex.raw('select 1')))
    const results = await Promise.all(Array.from({ length: MANY }, () => ensurePgvector(knex, silent)))
    const statuses = results.map(({ status }) => status)
    expect(statuses.filter((status) => status === 'created')).toHaveLength(1)
    expect(statuses.filter((status) => status === 'unchanged')).toHaveLength(MANY - 1)
    expect(await knex('pgvector_migration_log').select('event')).toEqual([{ event: 'enabled' }])
  })

  test('all succeed inside transactions of their callers, which go on', async () => {
    const knex = database().connect({ pool: { min: MANY, max: MANY } })
    await knex.raw('create table visits (replica int)')
    const replicas = Array.from({ length: MANY }, (_, replica) =>
      knex.transaction(async (trx) => {
        const { status } = await ensurePgvector(trx, silent)
        await trx('visits').insert({ replica })
        return status
      }),
    )
    const statuses = await Promise.all(replicas)
    expect(statuses.filter((status) => status === 'created')).toHaveLength(1)
    expect(await knex('visits')).toHaveLength(MANY)
  })

  test('all succeed while other sessions create it without any lock', async () => {
    const knex = database().connect({ pool: { min: MANY, max: MANY } })
    await Promise.all(Array.from({ length: MANY }, () => knex.raw('select 1')))
    const [ours] = await Promise.all([
      Promise.all(Array.from({ length: MANY / 2 }, () => ensurePgvector(knex, silent))),
      // These may fail, with 23505: that is what the race does to those who do not look again.
      Promise.allSettled(Array.from({ length: MANY / 2 }, () => knex.raw('create extension if not exists vector'))),
    ])
    expect(new Set(ours.map(({ version }) => version)).size).toBe(1)
  })
})

describeOnServers('a session that holds the lock', (database) => {
  test('is waited for, and what it did is taken over', async () => {
    const { knex } = database()
    const holder = await knex.transaction()
    await ensurePgvector(holder, silent)
    const waiting = ensurePgvector(knex, silent)
    await holder.commit()
    expect((await waiting).status).toBe('unchanged')
  })

  test('is waited for only so long, and then named as the reason', async () => {
    const { knex } = database()
    const holder = await knex.transaction()
    await holder.raw(`select pg_advisory_xact_lock(${LANGCHAIN_LOCK})`)
    const error = await expectError('LOCK_TIMEOUT', () => ensurePgvector(knex, { ...silent, wait: 100 }))
    expect(error.hint).toContain('pg_locks')
    await holder.rollback()
  })

  test('and rolls back leaves the work to the next one', async () => {
    const { knex } = database()
    const holder = await knex.transaction()
    await ensurePgvector(holder, silent)
    const waiting = ensurePgvector(knex, silent)
    await holder.rollback()
    expect((await waiting).status).toBe('created')
  })

  test('does not keep create index concurrently from finishing while others wait for it', async () => {
    const { knex } = database()
    await knex.raw('create table documents (id int)')
    const holder = await knex.transaction()
    await holder.raw(`select pg_advisory_xact_lock(${LANGCHAIN_LOCK})`)
    const waiting = ensurePgvector(knex, silent)
    // A waiter that blocked in pg_advisory_lock would hold a snapshot, and this would wait for it for ever.
    await database().connect().raw('create index concurrently documents_id on documents (id)')
    await holder.rollback()
    expect((await waiting).status).toBe('created')
  })
})
