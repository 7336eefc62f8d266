import type { Knex } from 'knex'

import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { migrateWithoutSearch, silenceConsole } from './support/migrations.ts'
import { valueOf } from './support/value-of.ts'

silenceConsole()

const CLIENTS = 16
const clients = Array.from({ length: CLIENTS }, (_, index) => `client-${index}`)

const acquire = (knex: Knex, lock: string, owner: string, ...ttl: number[]): Promise<unknown> =>
  valueOf(knex, 'acquire_lock', lock, owner, ...ttl)
const release = (knex: Knex, lock: string, owner: string): Promise<unknown> =>
  valueOf(knex, 'release_lock', lock, owner)
const expire = (knex: Knex): Promise<unknown> =>
  knex('distributed_locks').update({ expires_at: knex.raw(`now() - interval '1 second'`) })

describeOnEveryDatabase('a lock', (database) => {
  test('belongs to the first who asks, until it is released', async () => {
    const { knex } = database()
    await migrateWithoutSearch(knex)
    expect(await acquire(knex, 'mining', 'one')).toBe(true)
    expect(await acquire(knex, 'mining', 'two')).toBe(false)
    expect(await acquire(knex, 'other', 'two')).toBe(true)
    expect(await release(knex, 'mining', 'two')).toBe(false)
    expect(await release(knex, 'mining', 'one')).toBe(true)
    expect(await release(knex, 'mining', 'one')).toBe(false)
    expect(await acquire(knex, 'mining', 'two')).toBe(true)
  })

  test('lasts 30 seconds by default, and is extended for its owner', async () => {
    const { knex } = database()
    await migrateWithoutSearch(knex)
    await acquire(knex, 'mining', 'one')
    const seconds = knex.raw('round(extract(epoch from expires_at - acquired_at))::int as seconds')
    expect(await knex('distributed_locks').select(seconds)).toEqual([{ seconds: 30 }])
    const [before] = await knex<{ acquired_at: Date }>('distributed_locks').select('acquired_at')
    expect(await acquire(knex, 'mining', 'one', 600)).toBe(true)
    const [after] = await knex<{ acquired_at: Date }>('distributed_locks').select('acquired_at', seconds)
    expect(after).toEqual({ ...before, seconds: 600 })
  })

  test('is free once it has expired, and its traces and those of other expired locks are removed', async () => {
    const { knex } = database()
    await migrateWithoutSearch(knex)
    await acquire(knex, 'mining', 'one')
    await acquire(knex, 'forgotten', 'one')
    await knex('distributed_locks').update({ metadata: { purpose: 'mine' } })
    await expire(knex)
    expect(await acquire(knex, 'mining', 'two')).toBe(true)
    expect(await knex('distributed_locks').select('lock_name', 'owner_id', 'metadata')).toEqual([
      { lock_name: 'mining', owner_id: 'two', metadata: {} },
    ])
  })
})

describeOnServers('a lock that 16 clients want at once', (database) => {
  test.each([
    ['free', async () => undefined],
    [
      'expired',
      async (knex: Knex) => {
        await acquire(knex, 'mining', 'nobody')
        await expire(knex)
      },
    ],
  ])('goes to one of them where it is %s, and to the next one afterwards', async (_, prepare) => {
    const knex = database().connect({ pool: { min: CLIENTS, max: CLIENTS } })
    await migrateWithoutSearch(knex)
    for (let round = 0; round < 20; round++) {
      await prepare(knex)
      const answers = await Promise.all(clients.map((client) => acquire(knex, 'mining', client)))
      const winners = clients.filter((_client, index) => answers[index] === true)
      expect(winners).toHaveLength(1)
      expect(await knex('distributed_locks').pluck('owner_id')).toEqual(winners)
      const released = await Promise.all(clients.map((client) => release(knex, 'mining', client)))
      expect(released.filter(Boolean)).toHaveLength(1)
    }
  })

  test('is held by one at a time while all of them take and release it again and again', async () => {
    const knex = database().connect({ pool: { min: CLIENTS, max: CLIENTS } })
    await migrateWithoutSearch(knex)
    let inside = 0
    let most = 0
    let turns = 0
    await Promise.all(
      clients.map(async (client) => {
        for (let attempt = 0; attempt < 25; attempt++) {
          if ((await acquire(knex, 'mining', client)) !== true) continue
          most = Math.max(most, ++inside)
          turns++
          // A round trip, in which the others try.
          await knex.raw('select')
          inside--
          await release(knex, 'mining', client)
        }
      }),
    )
    expect(most).toBe(1)
    expect(turns).toBeGreaterThan(1)
  })
})

describeOnServers('a transaction that removes expired locks', (database) => {
  test('does not make another one wait, nor keep it from a lock that is free', async () => {
    const { knex } = database()
    await migrateWithoutSearch(knex)
    await acquire(knex, 'forgotten', 'nobody')
    await acquire(knex, 'abandoned', 'nobody')
    await expire(knex)
    await knex.transaction(async (one) => {
      expect(await acquire(one, 'first', 'one')).toBe(true)
      await knex.transaction(async (two) => {
        await two.raw(`set local lock_timeout = '2s'`)
        expect(await acquire(two, 'second', 'two')).toBe(true)
      })
    })
    expect(await knex('distributed_locks').pluck('lock_name').orderBy('lock_name')).toEqual(['first', 'second'])
  })

  test('takes an expired lock over that another session was looking at', async () => {
    const { knex } = database()
    await migrateWithoutSearch(knex)
    await acquire(knex, 'mining', 'nobody')
    await knex('distributed_locks').update({ metadata: { purpose: 'mine' } })
    await expire(knex)
    await knex.transaction(async (one) => {
      await one.raw('select from distributed_locks for key share')
      expect(await acquire(knex, 'mining', 'two')).toBe(true)
    })
    expect(await knex('distributed_locks').select('owner_id', 'metadata')).toEqual([{ owner_id: 'two', metadata: {} }])
  })

  test('counts the time of a lock from the call, not from the beginning of the transaction', async () => {
    const { knex } = database()
    await migrateWithoutSearch(knex)
    await knex.transaction(async (trx) => {
      await acquire(trx, 'mining', 'one', 30)
      const counted = trx.raw(`acquired_at > now() and expires_at > now() + interval '30 seconds' as counted`)
      expect(await trx('distributed_locks').select(counted)).toEqual([{ counted: true }])
    })
  })
})
