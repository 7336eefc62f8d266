const { DropVectorColumn, DropVectorIndex, migration } = require('knex-pgvector')

const { small, bySmall } = require('../vectors')

// When nothing reads it any more.
module.exports = migration([new DropVectorIndex(bySmall), new DropVectorColumn(small)])
