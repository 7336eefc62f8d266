import type { Knex } from 'knex'
import { dropPgvector, ensurePgvector } from 'knex-pgvector'

export async function up(knex: Knex): Promise<void> {
  await ensurePgvector(knex)
  await knex.schema.createTable('documents', (table) => {
    table.increments()
    table.text('title').notNullable()
    table.specificType('embedding', 'vector(3)').notNullable()
  })
  await knex.raw('create index documents_embedding on documents using hnsw (embedding vector_cosine_ops)')
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('documents')
  await dropPgvector(knex)
}
