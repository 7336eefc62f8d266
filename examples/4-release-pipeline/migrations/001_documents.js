exports.up = (knex) =>
  knex.schema.createTable('documents', (table) => {
    table.increments()
    table.text('title').notNullable()
  })

exports.down = (knex) => knex.schema.dropTable('documents')
