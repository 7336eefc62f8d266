import { BaseSchema } from '@adonisjs/lucid/schema'
import { addVectorColumn, dropPgvector, ensurePgvector } from 'knex-pgvector'

import { embedding } from '../../vectors.js'

export default class extends BaseSchema {
  async up() {
    this.defer((db) => ensurePgvector(db.getWriteClient()))
    this.schema.createTable('documents', (table) => {
      table.increments()
      table.text('title').notNullable()
    })
    this.defer((db) => addVectorColumn(db.getWriteClient(), embedding))
  }

  async down() {
    this.schema.dropTable('documents')
    // Drops the extension only if this migration created it and nothing else uses it.
    this.defer((db) => dropPgvector(db.getWriteClient()))
  }
}
