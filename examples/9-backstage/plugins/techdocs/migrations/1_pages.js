const { addVectorColumn, ensurePgvector } = require('knex-pgvector')

const { embedding } = require('../vectors')

exports.up = async function up(knex) {
  // In a schema of its own: the default would be this plugin's schema, which other plugins do not have on their search path.
  await ensurePgvector(knex, { schema: 'extensions', createSchema: true })
  await knex.schema.createTable('pages', (table) => {
    table.increments()
    table.text('title').notNullable()
  })
  await addVectorColumn(knex, embedding)
}

// Leaves the extension: other plugins use it too.
exports.down = async function down(knex) {
  await knex.schema.dropTable('pages')
}
