import type { Knex } from 'knex'

import { createVectorIndex, dropVectorIndex, vectorIndex } from '../src/index.ts'
import { describeOnServers } from './support/databases.ts'
import { createDocuments, embedding } from './support/documents.ts'
import { expectError } from './support/expect-error.ts'
import { startProxy, type Proxy, type Sender } from './support/proxy.ts'

const index = vectorIndex(embedding, { method: 'hnsw', metric: 'l2' })
const quiet = { logger: false } as const

async function linesOf(knex: Knex): Promise<string[]> {
  return knex('pgvector_migration_log').whereLike('event', 'index %').orderBy('id').pluck('event')
}

describeOnServers('the log of an index whose connection is lost when it is done', (database) => {
  const proxies: Proxy[] = []

  afterEach(async () => {
    for (const proxy of proxies.splice(0)) await proxy.close()
  })

  /** A Knex instance that loses connections at these words: the first one on which they pass, or each of them. */
  async function losingAt(words: string, which: 'first' | 'every', from: Sender = 'client'): Promise<Knex> {
    let hasLost = false
    const proxy = await startProxy(database().url ?? '', ({ connection, sender, message }) => {
      if (sender !== from || !message.body.includes(words) || (hasLost && which === 'first')) return undefined
      hasLost = true
      connection.cut()
      return undefined
    })
    proxies.push(proxy)
    return database().connect({ connection: proxy.url })
  }

  test('gets the line of a build and of a drop from the second connection', async () => {
    const { knex } = database()
    await createDocuments(knex, 20)
    expect(await createVectorIndex(await losingAt(`'index built'`, 'first'), index, quiet)).toMatchObject({
      warnings: [],
    })
    expect(await dropVectorIndex(await losingAt(`'index dropped', null`, 'first'), index, quiet)).toMatchObject({
      status: 'dropped',
    })
    expect(await linesOf(knex)).toEqual(['index begun', 'index built', 'index dropped'])
  })

  test('gets the line of a build from the next one, once', async () => {
    const { knex } = database()
    await createDocuments(knex, 20)
    const { warnings } = await createVectorIndex(await losingAt(`'index built'`, 'every'), index, quiet)
    expect(warnings).toEqual([expect.stringContaining('The migration log was not written')])
    expect(await linesOf(knex)).toEqual(['index begun'])
    for (const _ of [1, 2]) expect((await createVectorIndex(knex, index, quiet)).status).toBe('kept')
    expect(await linesOf(knex)).toEqual(['index begun', 'index built'])
  })

  test('gets the line of a build from the next one where the answer to its statement was lost', async () => {
    const { knex } = database()
    await createDocuments(knex, 20)
    const losing = await losingAt('CREATE INDEX', 'first', 'server')
    await expectError('CONNECTION_LOST', () => createVectorIndex(losing, index, quiet))
    expect(await linesOf(knex)).toEqual(['index begun'])
    expect((await createVectorIndex(knex, index, quiet)).status).toBe('kept')
    expect(await linesOf(knex)).toEqual(['index begun', 'index built'])
  })

  test('gets the line of a drop from the next one, so that a later index of that name is not ours', async () => {
    const { knex } = database()
    await createDocuments(knex, 20)
    await createVectorIndex(knex, index, quiet)
    const losing = await losingAt(`'index dropped', null`, 'every')
    await expectError('CONNECTION_LOST', () => dropVectorIndex(losing, index, quiet))
    for (const _ of [1, 2]) expect((await dropVectorIndex(knex, index, quiet)).status).toBe('absent')
    expect(await linesOf(knex)).toEqual(['index begun', 'index built', 'index dropped'])
    await knex.raw(`create index ${index.name} on documents using hnsw (embedding vector_l2_ops)`)
    expect((await dropVectorIndex(knex, index, { ...quiet, onlyOurs: true })).status).toBe('kept')
  })
})
