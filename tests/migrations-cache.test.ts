import type { Knex } from 'knex'

import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { migrateWithoutSearch, silenceConsole } from './support/migrations.ts'
import { valueOf } from './support/value-of.ts'

silenceConsole()

const get = (knex: Knex, key: string): Promise<unknown> => valueOf(knex, 'cache_get', key)
const set = (knex: Knex, key: string, value: unknown, ...ttl: number[]): Promise<unknown> =>
  valueOf(knex, 'cache_set', key, JSON.stringify(value), ...ttl)
const ago = (knex: Knex, interval: string): Knex.Raw => knex.raw(`now() - interval '${interval}'`)

describeOnEveryDatabase('the cache', (database) => {
  test('keeps a value until it is replaced or deleted', async () => {
    const { knex } = database()
    await migrateWithoutSearch(knex)
    expect(await get(knex, 'greeting')).toBeNull()
    await set(knex, 'greeting', { text: 'hello' })
    expect(await get(knex, 'greeting')).toEqual({ text: 'hello' })
    await set(knex, 'greeting', ['hi'])
    expect(await get(knex, 'greeting')).toEqual(['hi'])
    expect(await valueOf(knex, 'cache_delete', 'greeting')).toBe(true)
    expect(await valueOf(knex, 'cache_delete', 'greeting')).toBe(false)
    expect(await get(knex, 'greeting')).toBeNull()
  })

  test('forgets a value whose time is over, and takes a new one', async () => {
    const { knex } = database()
    await migrateWithoutSearch(knex)
    await set(knex, 'greeting', 'hello', 60)
    expect(await get(knex, 'greeting')).toBe('hello')
    await knex('cache_entries').update({ expires_at: ago(knex, '1 second') })
    expect(await get(knex, 'greeting')).toBeNull()
    await set(knex, 'greeting', 'hi')
    expect(await get(knex, 'greeting')).toBe('hi')
  })

  test('renews created_at and the expiry when a value is replaced', async () => {
    const { knex } = database()
    await migrateWithoutSearch(knex)
    await set(knex, 'greeting', 'hello', 60)
    const seconds = knex.raw('round(extract(epoch from expires_at - created_at))::int as seconds')
    expect(await knex('cache_entries').select(seconds)).toEqual([{ seconds: 60 }])
    await knex('cache_entries').update({ created_at: ago(knex, '1 year') })
    await set(knex, 'greeting', 'hello')
    const recent = knex.raw(`created_at > now() - interval '1 hour' as recent`)
    expect(await knex('cache_entries').select('expires_at', recent)).toEqual([{ expires_at: null, recent: true }])
  })
})

// Two rows of each table: one to go and one to stay.
async function fill(knex: Knex): Promise<void> {
  const [future, past] = [knex.raw(`now() + interval '1 minute'`), ago(knex, '1 minute')]
  await knex('distributed_locks').insert([
    { lock_name: 'go', owner_id: 'one', expires_at: past },
    { lock_name: 'stay', owner_id: 'one', expires_at: future },
  ])
  await knex('cache_entries').insert([
    { cache_key: 'go', cache_value: '1', expires_at: past },
    { cache_key: 'stay', cache_value: '1', expires_at: future },
    { cache_key: 'stay for ever', cache_value: '1' },
  ])
  const metric = { metric_type: 'gauge', metric_value: 1 }
  await knex('metrics_snapshots').insert([
    { metric_name: 'go', recorded_at: ago(knex, '7 days 1 minute'), ...metric },
    { metric_name: 'stay', recorded_at: ago(knex, '6 days 23 hours'), ...metric },
  ])
  const instance = { host: 'localhost', port: 80, started_at: ago(knex, '1 year') }
  await knex('instance_registry').insert([
    { instance_id: 'go', last_heartbeat: ago(knex, '6 minutes'), ...instance },
    { instance_id: 'stay', last_heartbeat: ago(knex, '4 minutes'), ...instance },
  ])
  const job = { job_type: 'report', scheduled_for: ago(knex, '1 year') }
  const old = ago(knex, '7 days 1 minute')
  await knex('scheduled_jobs').insert([
    { job_name: 'go', status: 'completed', completed_at: old, ...job },
    { job_name: 'go', status: 'failed', completed_at: old, ...job },
    { job_name: 'stay', status: 'completed', completed_at: past, ...job },
    { job_name: 'stay', status: 'pending', completed_at: old, ...job },
    { job_name: 'stay', status: 'running', ...job },
  ])
}

interface Removed {
  readonly table_name: string
  readonly rows_deleted: string
}

async function cleanUp(knex: Knex): Promise<Record<string, number>> {
  const { rows } = await knex.raw<{ rows: Removed[] }>('select * from cleanup_expired_data()')
  return Object.fromEntries(rows.map(({ table_name, rows_deleted }) => [table_name, Number(rows_deleted)]))
}

const names = {
  distributed_locks: 'lock_name',
  cache_entries: 'cache_key',
  metrics_snapshots: 'metric_name',
  instance_registry: 'instance_id',
  scheduled_jobs: 'job_name',
} as const

describeOnEveryDatabase('cleanup_expired_data', (database) => {
  test('removes what has expired from five tables, says how much, and leaves the rest', async () => {
    const { knex } = database()
    await migrateWithoutSearch(knex)
    await fill(knex)
    expect(await cleanUp(knex)).toEqual({
      distributed_locks: 1,
      cache_entries: 1,
      metrics_snapshots: 1,
      instance_registry: 1,
      scheduled_jobs: 2,
    })
    for (const [table, column] of Object.entries(names)) {
      const left = new Set((await knex(table).pluck<string[]>(column)).map((name) => name.slice(0, 4)))
      expect([table, ...left]).toEqual([table, 'stay'])
    }
    expect(Object.values(await cleanUp(knex))).toEqual([0, 0, 0, 0, 0])
  })
})

describeOnServers('cleanup_expired_data on several instances at once', (database) => {
  test('leaves to another one what that is removing, and does not wait for it', async () => {
    const { knex } = database()
    await migrateWithoutSearch(knex)
    await fill(knex)
    await knex.transaction(async (one) => {
      expect(Object.values(await cleanUp(one))).toEqual([1, 1, 1, 1, 2])
      await knex.transaction(async (two) => {
        await two.raw(`set local lock_timeout = '2s'`)
        expect(Object.values(await cleanUp(two))).toEqual([0, 0, 0, 0, 0])
      })
    })
  })
})
