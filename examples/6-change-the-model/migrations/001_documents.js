const { AddVectorColumn, CreateVectorIndex, EnablePgvector, KeepInStep, RunSql, migration } = require('knex-pgvector')

const { documents, small } = require('../vectors')

module.exports = migration([
  new EnablePgvector(),
  new RunSql({
    up: 'create table documents (id bigint generated always as identity primary key, title text not null)',
    down: 'drop table documents',
  }),
  new AddVectorColumn(small),
  new CreateVectorIndex(small, { method: 'hnsw', metric: 'cosine' }),
  new KeepInStep(documents),
])
