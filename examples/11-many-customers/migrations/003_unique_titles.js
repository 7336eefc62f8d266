const { RunSql, migration } = require('knex-pgvector')

module.exports = migration([
  new RunSql({
    up: 'alter table documents add constraint documents_title_key unique (title)',
    down: 'alter table documents drop constraint documents_title_key',
  }),
])
