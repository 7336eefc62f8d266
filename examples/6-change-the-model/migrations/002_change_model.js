const { ChangeModel, migration } = require('knex-pgvector')

const { change } = require('../vectors')

// Adds the column of the new model. The rest runs while the application does.
module.exports = migration([new ChangeModel(change)])
