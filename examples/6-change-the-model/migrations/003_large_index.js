const { CreateVectorIndex, migration } = require('knex-pgvector')

const { byLarge } = require('../vectors')

// After the backfill: an index is built much faster than it is filled row by row.
module.exports = migration([new CreateVectorIndex(byLarge)])
