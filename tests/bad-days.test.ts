import Knex from 'knex'

import { ensurePgvector, findDependents, inspectPgvector } from '../src/index.ts'
import { describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'

const silent = { logger: false } as const

describe('a server that is not there', () => {
  test("is reported in node-postgres's own words, which are clear", async () => {
    const knex = Knex({ client: 'pg', connection: 'postgres://nobody@127.0.0.1:1/nothing' })
    await expect(ensurePgvector(knex, silent)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await knex.destroy()
  })
})

describeOnServers('a session that is cut off', (database) => {
  test('while it waits for the lock leaves nothing behind, and the next one goes on', async () => {
    const { knex } = database()
    const victim = database().connect({ pool: { min: 1, max: 1 } })
    const { rows } = await victim.raw('select pg_backend_pid() as pid')
    const holder = await knex.transaction()
    await ensurePgvector(holder, silent)
    const waiting = ensurePgvector(victim, silent)
    await holder.raw(`select pg_terminate_backend(${rows[0].pid})`)
    await expect(waiting).rejects.toThrow(/terminat/)
    await holder.rollback()
    expect((await ensurePgvector(knex, silent)).status).toBe('created')
  })
})

describeOnServers('a password', (database) => {
  test('is never in an error or a message of ours', async () => {
    const { knex, url } = database()
    const { password } = new URL(url ?? '')
    await knex.raw('create table vector (id int)')
    const error = await expectError('TYPE_CONFLICT', () => ensurePgvector(knex, silent))
    expect(password.length).toBeGreaterThan(0)
    expect(`${error.stack} ${error.hint} ${JSON.stringify(error)}`).not.toContain(`:${password}@`)
  })
})

describeOnServers('inspectPgvector', (database) => {
  test('reads everything in one query, which writes nothing', async () => {
    const { knex, pgvector, major } = database()
    await knex.transaction(async (trx) => {
      await trx.raw('set transaction read only')
      const state = await inspectPgvector(trx, { schema: 'extensions' })
      expect(state).toMatchObject({
        server: { major },
        installed: null,
        available: { defaultVersion: pgvector, versions: expect.arrayContaining([pgvector]), trusted: false },
        owner: null,
        target: { schema: 'extensions', exists: false },
        lookalikes: [],
        accessMethods: [],
        readOnly: { reason: 'transaction', primary: null },
        log: { schema: 'public', table: 'pgvector_migration_log', exists: false, writable: true },
      })
      expect((await findDependents(trx)).objects).toEqual([])
    })
  })
})
