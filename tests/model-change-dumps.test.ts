import Knex, { type Knex as KnexInstance } from 'knex'

import { nearestText } from '../src/index.ts'
import { backfill } from '../src/embeddings/backfill.ts'
import { copyByDump, describeWithDump, dropCopy } from './support/dump.ts'
import { skipPauses } from './support/fast-clock.ts'
import { articles, change, createArticles, embedQueries, quiet, vectorOf } from './support/two-models.ts'

const ROWS = 60
const phases = ['expand', 'backfill', 'index', 'drain', 'compare', 'switch', 'contract'] as const

afterEach(() => jest.restoreAllMocks())

/** Brings a change of model to the beginning of a phase. */
const reach = async (knex: KnexInstance, phase: (typeof phases)[number]): Promise<void> => {
  const place = phases.indexOf(phase)
  if (place > 0) await change.advance(knex, { ...quiet, until: 'expand' })
  if (phase === 'backfill') {
    // Half of it, with the claim of a worker that was killed.
    await knex.raw(`update articles set embedding_large = format('[1,%s,1000]', length(title))::vector where id <= 30`)
    await knex.raw(`insert into articles__embedding_large__claims (key_1, due_at, holder)
      values (31, now() + interval '50 milliseconds', gen_random_uuid())`)
  }
  if (place > 1) await change.advance(knex, { ...quiet, until: 'backfill' })
  if (place > 2) await change.advance(knex, { ...quiet, until: 'index' })
  if (place > 4) await change.advance(knex, quiet)
  if (place > 5) await change.switch(knex, quiet)
  if (phase !== 'compare' && phase !== 'index') {
    await knex('articles')
      .where({ id: 5 })
      .update({ title: 'x'.repeat(500) })
    await knex('articles').insert({ title: 'x'.repeat(600) })
  }
}

const countOf = async (knex: KnexInstance): Promise<number> => (await knex('articles').pluck('id')).length

describeWithDump('a dump that is restored during a change of model', (database) => {
  test.each(phases)('in the phase %s continues there', async (phase) => {
    const { knex, url, major } = database()
    await createArticles(knex, ROWS)
    await reach(knex, phase)
    const before = await change.status(knex)
    const copy = await copyByDump(url ?? '', major)
    const restored = Knex({ client: 'pg', connection: copy, pool: { min: 0, max: 4 } })
    try {
      expect(await change.status(restored)).toEqual(before)
      expect(before.phase).toBe(phase)
      skipPauses()
      await change.advance(restored, quiet)
      await change.switch(restored, quiet)
      // what the worker of the restored database does
      await backfill(restored, change.to, quiet)
      const found = await nearestText(restored, articles, 'x'.repeat(7), { embed: embedQueries, limit: 3 })
      expect(found).toMatchObject({ model: 'large-3', rows: [{ title: 'x'.repeat(7), distance: 0 }, {}, {}] })
      await change.contract(restored, { ...quiet, confirm: true })
      expect(await change.status(restored)).toMatchObject({ phase: 'done' })
      const vectors: readonly { readonly title: string; readonly vector: string | null }[] = await restored(
        'articles',
      ).select('title', restored.raw('embedding_large::text as vector'))
      expect(vectors.filter(({ title, vector }) => vector !== `[${vectorOf['large-3'](title).join(',')}]`)).toEqual([])
      expect(vectors).toHaveLength(await countOf(knex))
    } finally {
      await restored.destroy()
      await dropCopy(copy)
    }
  })
})
