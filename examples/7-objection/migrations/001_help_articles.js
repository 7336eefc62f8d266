const { AddVectorColumn, CreateVectorIndex, EnablePgvector, RunSql, migration } = require('knex-pgvector')

const { byTitle, embedding } = require('../vectors')

module.exports = migration([
  new EnablePgvector(),
  new RunSql({
    up: `create table help_articles (
      id bigint generated always as identity primary key,
      title text not null,
      is_public boolean not null
    )`,
    down: 'drop table help_articles',
  }),
  new AddVectorColumn(embedding),
  new CreateVectorIndex(byTitle),
])
