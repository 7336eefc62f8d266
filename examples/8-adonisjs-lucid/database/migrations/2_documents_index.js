import { BaseSchema } from '@adonisjs/lucid/schema'
import { createVectorIndex, dropVectorIndex } from 'knex-pgvector'

import { byMeaning } from '../../vectors.js'

export default class extends BaseSchema {
  // Outside a transaction, so that the build does not block writes.
  static disableTransactions = true

  async up() {
    this.defer((db) => createVectorIndex(db.getWriteClient(), byMeaning))
  }

  async down() {
    this.defer((db) => dropVectorIndex(db.getWriteClient(), byMeaning))
  }
}
