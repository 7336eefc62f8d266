const { AddVectorColumn, EnablePgvector, KeepInStep, RunSql, migration } = require('knex-pgvector')

const { articles, column } = require('../vectors')

module.exports = migration([
  new EnablePgvector(),
  new RunSql({
    up: 'create table articles (id bigint generated always as identity primary key, title text not null, body text not null)',
    down: 'drop table articles',
  }),
  new AddVectorColumn(column),
  new KeepInStep(articles),
])
