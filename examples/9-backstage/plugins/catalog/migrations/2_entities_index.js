const { createVectorIndex, dropVectorIndex } = require('knex-pgvector')

const { byMeaning } = require('../vectors')

exports.up = (knex) => createVectorIndex(knex, byMeaning)
exports.down = (knex) => dropVectorIndex(knex, byMeaning)

// Outside a transaction, so that the build does not block writes.
exports.config = { transaction: false }
