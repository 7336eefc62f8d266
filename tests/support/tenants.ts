import type { Knex } from 'knex'

import { ensurePgvector, vectorColumn, vectorIndex } from '../../src/index.ts'

export const embedding = vectorColumn('documents', 'embedding', { dimensions: 8 })
export const byMeaning = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })

export const quiet = { logger: false } as const

/** Enables pgvector and creates the table `documents` with a tenant's column of this type. */
export async function createTenants(knex: Knex, type = 'integer'): Promise<void> {
  await ensurePgvector(knex, quiet)
  await knex.raw(`create table documents (id serial primary key, tenant_id ${type}, embedding vector(8))`)
}

/** Adds so many rows of a tenant. */
export async function addRows(knex: Knex, tenant: string | number | null, rows: number): Promise<void> {
  await knex.raw(
    `insert into documents (tenant_id, embedding)
    select ?, array[random(), random(), random(), random(), random(), random(), random(), random()]
    from generate_series(1, ?::int) i`,
    [tenant, rows],
  )
}
