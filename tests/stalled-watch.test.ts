import type * as deadlines from '../src/database/deadlines.ts'
import { createVectorIndex, listVectorIndexes, vectorColumn, vectorIndex } from '../src/index.ts'
import { describeOnOneServer } from './support/databases.ts'
import { startProxy } from './support/proxy.ts'

// Whatever waits for one of these outlasts the test.
jest.mock('../src/database/deadlines.ts', () => {
  const actual = jest.requireActual<typeof deadlines>('../src/database/deadlines.ts')
  return { ...actual, defaultDeadlines: { ...actual.defaultDeadlines, ask: 600_000, close: 600_000 } }
})

describeOnOneServer('an index build whose second connection stalls', (database) => {
  test('ends as soon as the index is there', async () => {
    const { knex, url } = database()
    await knex.raw(`
      create extension vector;
      create table documents (id bigint primary key, embedding vector(3));
      insert into documents select id, '[1,2,3]' from generate_series(1, 10) id;
      create function is_slow(bigint) returns boolean language plpgsql immutable
        as 'begin perform pg_sleep(0.05); return true; end'`)
    let hasStalled = false
    const proxy = await startProxy(url ?? '', ({ connection, sender, message }) => {
      if (sender !== 'client' || !message.body.includes('as it (pid)')) return undefined
      hasStalled = true
      connection.stall()
      return undefined
    })
    try {
      const embedding = vectorColumn('documents', 'embedding', { dimensions: 3 })
      const index = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine', where: 'is_slow(id)' })
      const built = await createVectorIndex(database().connect({ connection: proxy.url }), index, { logger: false })
      expect(hasStalled).toBe(true)
      expect(built.status).toBe('built')
      expect(await listVectorIndexes(knex)).toMatchObject([{ isValid: true }])
    } finally {
      await proxy.close()
    }
  })
})
