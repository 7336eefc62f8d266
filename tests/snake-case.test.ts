import type { Knex } from 'knex'

import {
  backfillVectors,
  cosineDistance,
  createVectorIndex,
  ensurePgvector,
  estimateBackfill,
  nearest,
  nearestRows,
  vectorColumn,
  vectorIndex,
} from '../src/index.ts'
import { describeOnServers } from './support/databases.ts'

const embedding = vectorColumn('blog_posts', 'body_embedding', { dimensions: 3 })
const byMeaning = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })
const quiet = { logger: false } as const

const snake = (text: string): string => text.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
const camel = (text: string): string => text.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())

/** What Objection's knexSnakeCaseMappers puts into a configuration. */
const mappers: Knex.Config = {
  wrapIdentifier: (name, wrap) => wrap(snake(name)),
  postProcessResponse: (response: unknown) => (Array.isArray(response) ? response.map(mapped) : mapped(response)),
}

function mapped(row: unknown): unknown {
  if (typeof row !== 'object' || row === null || Object.getPrototypeOf(row) !== Object.prototype) return row
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [camel(name), value]))
}

interface Post {
  readonly id: number
  readonly bodyText: string
}

describeOnServers('a configuration that writes names in camel case', (database) => {
  test('backfills and searches by the names that the application writes', async () => {
    const knex = database().connect(mappers)
    await ensurePgvector(knex, quiet)
    await knex.raw(
      'create table blog_posts (id int primary key, body_text text, author_id int, body_embedding vector(3))',
    )
    await knex('blogPosts').insert([1, 2, 3].map((id) => ({ id, bodyText: 'x'.repeat(id), authorId: 7 })))
    expect(await estimateBackfill<Post>(knex, embedding, { read: ['bodyText'] })).toMatchObject({
      charactersPerRow: 2,
    })
    const filled = await backfillVectors<Post>(knex, embedding, {
      ...quiet,
      read: ['bodyText'],
      embed: (rows) => Promise.resolve(rows.map(({ bodyText }) => [bodyText.length, 1, 0])),
    })
    expect(filled).toMatchObject({ filled: 3, isComplete: true })
    await createVectorIndex(knex, byMeaning, quiet)
    const { rows } = await nearestRows(knex, byMeaning, [1, 1, 0], { limit: 1, where: { authorId: 7 } })
    expect(rows).toEqual([{ id: 1, bodyText: 'x', authorId: 7, distance: expect.closeTo(0) }])
    const options = { limit: 1, columns: ['bodyText'], as: 'howFar' } as const
    expect((await nearestRows(knex, byMeaning, [1, 1, 0], options)).rows).toEqual([
      { bodyText: 'x', howFar: expect.closeTo(0) },
    ])
    const composed = await knex('blogPosts')
      .select('bodyText', { howFar: cosineDistance(embedding, [1, 1, 0]) })
      .modify(nearest(byMeaning, [1, 1, 0]))
      .limit(1)
    expect(composed).toEqual([{ bodyText: 'x', howFar: expect.closeTo(0) }])
  })
})
