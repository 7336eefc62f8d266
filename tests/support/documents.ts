import type { Knex } from 'knex'

import { ensurePgvector, vectorColumn, type VectorColumn } from '../../src/index.ts'

/** The column that most tests of indexes are about. */
export const embedding: VectorColumn<'vector'> = vectorColumn('documents', 'embedding', { dimensions: 16 })

/** Enables pgvector and makes the table `documents` with so many random embeddings of 16 dimensions. */
export async function createDocuments(knex: Knex, rows: number): Promise<void> {
  await ensurePgvector(knex, { logger: false })
  await knex.raw('create table documents (id serial primary key, embedding vector(16), note text)')
  await addDocuments(knex, rows)
}

export async function addDocuments(knex: Knex, rows: number): Promise<void> {
  if (rows === 0) return
  await knex.raw(
    `insert into documents (embedding)
    select array_agg(random()) from generate_series(1, 16 * ${rows}) i group by i % ${rows}`,
  )
}

/** An index as the server describes it, and whether it works. */
export interface SeenIndex {
  readonly name: string
  readonly definition: string
  readonly isValid: boolean
}

/** The indexes of pgvector's methods, of all tables. */
export async function indexesOf(knex: Knex): Promise<SeenIndex[]> {
  const { rows } = await knex.raw<{ rows: SeenIndex[] }>(
    `select c.relname as name, pg_get_indexdef(c.oid) as definition, x.indisvalid as "isValid"
    from pg_class c join pg_index x on x.indexrelid = c.oid join pg_am a on a.oid = c.relam
    where a.amname in ('hnsw', 'ivfflat') order by c.relname`,
  )
  return rows
}
