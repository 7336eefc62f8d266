const { AddVectorColumn, RunSql, migration } = require('knex-pgvector')

const { embedding } = require('../vectors')

// The tables have no schema: the fleet sets the search path to that of each customer.
module.exports = migration([
  new RunSql({
    up: 'create table documents (id bigint generated always as identity primary key, title text not null)',
    down: 'drop table documents',
  }),
  new AddVectorColumn(embedding),
])
