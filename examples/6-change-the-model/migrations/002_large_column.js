const { AddVectorColumn, migration } = require('knex-pgvector')

const { large } = require('../vectors')

// From here on the application writes both columns.
module.exports = migration([new AddVectorColumn(large)])
