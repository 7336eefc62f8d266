import { sessionOf } from '../src/database/session.ts'
import { processorsIn, readProcessors } from '../src/indexes/look/processors.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'

const nothing = { status: null, online: null, share: null }

describe('the processors of a server', () => {
  test.each([
    ['are unknown where nothing is told', nothing, null],
    ['are those that are there', { ...nothing, online: '0-3\n' }, 4],
    ['are counted in every range', { ...nothing, online: '0-3,8,10-11\n' }, 7],
    ['are one where one is there', { ...nothing, online: '0\n' }, 1],
    [
      'are those that the process may run on, where there are more',
      { ...nothing, status: 'Name:\tpostgres\nCpus_allowed:\tff\nCpus_allowed_list:\t0-3\n', online: '0-127\n' },
      4,
    ],
    [
      'are those that are there, where the process might run on more',
      { ...nothing, status: 'Cpus_allowed_list:\t0-127\n', online: '0-7\n' },
      8,
    ],
    ['are the share of a container', { ...nothing, online: '0-15\n', share: '200000 100000\n' }, 2],
    ['are one more for a part of one', { ...nothing, online: '0-15\n', share: '150000 100000\n' }, 2],
    ['are one for a container with less than one', { ...nothing, online: '0-15\n', share: '20000 100000\n' }, 1],
    ['are all where a container has no limit', { ...nothing, online: '0-15\n', share: 'max 100000\n' }, 16],
    ['are unknown where the files say something else', { status: 'Name: x', online: 'all', share: '' }, null],
  ])('%s', (_, files, expected) => {
    expect(processorsIn(files)).toBe(expected)
  })
})

describeOnServers('a superuser', (database) => {
  // Fewer, where its container has a share of them.
  test('sees not more processors than the system of the server', async () => {
    const { knex } = database()
    const { rows } = await knex.transaction(async (trx) => {
      await trx.raw('create temporary table system (processors int) on commit drop')
      await trx.raw(`copy system from program 'nproc'`)
      return trx.raw<{ rows: { processors: number }[] }>('select processors from system')
    })
    const processors = await readProcessors(sessionOf(knex))
    expect(processors).toBeGreaterThan(0)
    expect(processors).toBeLessThanOrEqual(rows[0]?.processors ?? 0)
  })
})

describeOnServers('a role that may not read files', (database) => {
  test('gets no warning', async () => {
    const knex = database().connect({ pool: { min: 1, max: 1 } })
    await knex.raw('set role pg_monitor')
    expect(await readProcessors(sessionOf(knex))).toBeNull()
  })
})

describeOnEveryDatabase('in a transaction', (database) => {
  test('no file is read, and the transaction goes on', async () => {
    await database().knex.transaction(async (trx) => {
      expect(await readProcessors(sessionOf(trx))).toBeNull()
      expect((await trx.raw<{ rows: unknown[] }>('select 1 as one')).rows).toEqual([{ one: 1 }])
    })
  })
})
