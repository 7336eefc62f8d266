const { dropPgvector, ensurePgvector } = require('knex-pgvector')

exports.up = async function up(knex) {
  await ensurePgvector(knex)
  await knex.schema.createTable('documents', (table) => {
    table.increments()
    table.text('title').notNullable()
    table.specificType('embedding', 'vector(3)').notNullable()
  })
  await knex.raw('create index documents_embedding on documents using hnsw (embedding vector_cosine_ops)')
}

exports.down = async function down(knex) {
  await knex.schema.dropTable('documents')
  // Drops the extension only where this migration created it and nothing else uses it.
  await dropPgvector(knex)
}
