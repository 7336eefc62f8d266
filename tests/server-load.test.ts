import type { Knex } from 'knex'

import { createVectorIndex, vectorIndex } from '../src/index.ts'
import { sessionOf } from '../src/database/session.ts'
import { readServerLoad } from '../src/indexes/look/server-load.ts'
import { describeOnServers } from './support/databases.ts'
import { createDocuments, embedding } from './support/documents.ts'
import { until } from './support/phases.ts'

const LARGE = 64 * 1024 * 1024
const index = vectorIndex(embedding, { method: 'ivfflat', metric: 'l2', lists: 2 })

describeOnServers('those who want the processors of a server', (database) => {
  test('are the sessions of others that work or just did', async () => {
    const { knex, connect } = database()
    const writer = connect({ pool: { min: 1, max: 1 } })
    // Again where the machine took more than the second that counts.
    await until(knex, async () => {
      const working = await processOf(writer)
      const { processors, othersAtWork } = await readServerLoad(sessionOf(knex), LARGE, [])
      expect(processors).toBeGreaterThan(0)
      return othersAtWork.includes(working)
    })
  })

  test('are not the caller: the connections of its pool and those that it names', async () => {
    const { knex, connect } = database()
    const beside = connect({ pool: { min: 1, max: 1 } })
    const own = await processOf(beside)
    const pooled = await Promise.all([processOf(knex), processOf(knex)])
    const { othersAtWork } = await readServerLoad(sessionOf(knex), LARGE, [own])
    expect(othersAtWork.filter((process) => [own, ...pooled].includes(process))).toEqual([])
  })

  test('are not a runner that only holds its lock', async () => {
    const { knex, connect } = database()
    await connect({ pool: { min: 1, max: 1 } }).transaction(async (trx) => {
      await trx.raw('select pg_advisory_xact_lock(4711)')
      const holder = await processOf(trx)
      expect((await readServerLoad(sessionOf(knex), LARGE, [])).othersAtWork).not.toContain(holder)
    })
  })

  test('are none if a table is too small for several processes, and nothing is asked', async () => {
    const { knex } = database()
    const sent: string[] = []
    knex.on('query', ({ sql }: { sql: string }) => sent.push(sql))
    expect(await readServerLoad(sessionOf(knex), 8 * 1024 * 1024 - 1, [])).toEqual({
      processors: null,
      othersAtWork: [],
    })
    expect(sent).toEqual([])
  })
})

describeOnServers('a build while another session writes', (database) => {
  test('leaves a processor to them and says so', async () => {
    const { knex, connect } = database()
    await createDocuments(knex, 100)
    await knex.raw(`alter table documents alter column note set storage external;
      insert into documents (note) select repeat('x', 8000) from generate_series(1, 1100)`)
    // So that the processors are what limits it.
    await knex.raw('alter database ?? set max_parallel_maintenance_workers = 1024', [await nameOf(knex)])
    const builder = connect({ pool: { min: 1, max: 1 } })
    const { processors } = await readServerLoad(sessionOf(builder), LARGE, [])
    const said: string[] = []
    const logger = { info: (message: string) => said.push(message), warn: () => undefined }
    const state = { isWriting: true }
    const writing = (async () => {
      while (state.isWriting) await knex.raw(`update documents set note = 'new' where id = 1`)
    })()
    const { settings } = await createVectorIndex(builder, index, { logger, maxMemory: '256MB' }).finally(() => {
      state.isWriting = false
    })
    await writing
    const workers = Math.max(0, (processors ?? 0) - 2)
    expect(settings).toMatchObject({ workers, leavesProcessor: (processors ?? 0) > 1 })
    const message =
      `other sessions are active, so one of the server's ${processors} processors is left to them; ` +
      `{ workers: ${workers + 1} } uses it too`
    expect(said.filter((each) => each.includes('processors'))).toEqual((processors ?? 0) > 1 ? [message] : [])
  })
})

async function processOf(knex: Knex): Promise<number> {
  const { rows } = await knex.raw<{ rows: [{ pid: number }] }>('select pg_backend_pid() as pid')
  return rows[0].pid
}

async function nameOf(knex: Knex): Promise<string> {
  const { rows } = await knex.raw<{ rows: [{ name: string }] }>('select current_database() as name')
  return rows[0].name
}
