const { dropPgvector, ensurePgvector } = require('knex-pgvector')

exports.up = async function up(knex) {
  const { schema } = await ensurePgvector(knex)
  await knex.raw('alter table documents add column embedding ??.vector(384)', [schema])
}

exports.down = async function down(knex) {
  await knex.raw('alter table documents drop column embedding')
  await dropPgvector(knex)
}
