import type { Knex } from 'knex'

import {
  changeModel,
  embedding,
  ensurePgvector,
  setUpInStep,
  vectorColumn,
  type Embed,
  type ModelChange,
} from '../../src/index.ts'
import { backfill } from '../../src/embeddings/backfill.ts'

/** A row of the table `articles`. */
export interface Article {
  readonly title: string
}

export const quiet = { logger: false } as const

export const small = vectorColumn('articles', 'embedding', { dimensions: 3 })
export const large = vectorColumn('articles', 'embedding_large', { dimensions: 3 })

/** Two models with the same dimensions: the error that nothing but the result reveals. The third number names the model. */
export const vectorOf = {
  'small-3': (text: string): number[] => [text.length, 1, 1],
  'large-3': (text: string): number[] => [1, text.length, 1000],
} as const

export type ModelName = keyof typeof vectorOf

const embedRows =
  (model: ModelName): Embed<Article> =>
  (rows) =>
    Promise.resolve(rows.map(({ title }) => vectorOf[model](title)))

export const embedArticles = { 'small-3': embedRows('small-3'), 'large-3': embedRows('large-3') } as const

/** Makes the vectors of queries, as the application does. */
export const embedQueries = {
  'small-3': (text: string) => Promise.resolve(vectorOf['small-3'](text)),
  'large-3': (text: string) => Promise.resolve(vectorOf['large-3'](text)),
} as const

export const articles = embedding<Article>('articles', {
  column: small,
  from: ['title'],
  model: 'small-3',
  embed: embedArticles['small-3'],
})

export const change: ModelChange = changeModel<Article>(articles, {
  to: { column: large, model: 'large-3', metric: 'l2' },
  embed: embedArticles,
})

/** Creates the table with vectors of the small model, an index on them, and what keeps them in step. */
export async function createArticles(knex: Knex, rows: number): Promise<void> {
  await ensurePgvector(knex, quiet)
  await knex.raw(`create table articles (id bigint generated always as identity primary key, title text not null,
    embedding vector(3))`)
  await knex.raw(`insert into articles (title) select repeat('x', i) from generate_series(1, ${rows}) i`)
  await setUpInStep(knex, articles, quiet)
  await backfill(knex, articles, quiet)
  await knex.raw('create index articles_small_idx on articles using hnsw (embedding vector_l2_ops)')
}

/** The names of everything that belongs to the table, for a comparison with the state before. */
export async function objectsOf(knex: Knex): Promise<readonly string[]> {
  const { rows } = (await knex.raw(`
    select format('column %I', attname) as name from pg_attribute
      where attrelid = 'articles'::regclass and attnum > 0 and not attisdropped
    union all select format('trigger %I', tgname) from pg_trigger where tgrelid = 'articles'::regclass and not tgisinternal
    union all select format('%s %I', relkind, relname) from pg_class
      where relnamespace = 'public'::regnamespace and relname like 'articles%'
    union all select format('function %I', proname) from pg_proc
      where pronamespace = 'public'::regnamespace and proname like 'articles%'
    order by 1`)) as { readonly rows: readonly { readonly name: string }[] }
  return rows.map(({ name }) => name)
}
