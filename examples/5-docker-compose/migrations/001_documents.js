import { dropPgvector, ensurePgvector } from 'knex-pgvector'

export async function up(knex) {
  await ensurePgvector(knex)
  await knex.schema.createTable('documents', (table) => {
    table.increments()
    table.text('title').notNullable()
    table.specificType('embedding', 'vector(384)')
  })
}

export async function down(knex) {
  await knex.schema.dropTable('documents')
  await dropPgvector(knex)
}
