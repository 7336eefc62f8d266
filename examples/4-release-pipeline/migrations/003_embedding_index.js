exports.up = async function up(knex) {
  // An index whose build was killed stays behind, half built, and "if not exists" would take it for this one.
  await knex.raw('drop index concurrently if exists documents_embedding')
  await knex.raw('create index concurrently documents_embedding on documents using hnsw (embedding vector_cosine_ops)')
}

exports.down = (knex) => knex.raw('drop index concurrently if exists documents_embedding')

// Nobody waits for an index that is built concurrently, and that takes no transaction.
exports.config = { transaction: false }
