const { CreateVectorIndex, migration } = require('knex-pgvector')

const { byMeaning } = require('../vectors')

module.exports = migration([new CreateVectorIndex(byMeaning)])
