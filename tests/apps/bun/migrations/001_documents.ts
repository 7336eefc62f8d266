import { AddVectorColumn, CreateVectorIndex, EnablePgvector, migration, RunSql, vectorColumn } from 'knex-pgvector'

const embedding = vectorColumn('documents', 'embedding', { dimensions: 3 })

export const { up, down, config } = migration([
  new EnablePgvector(),
  new RunSql({ up: 'create table documents (id int primary key)', down: 'drop table documents' }),
  new AddVectorColumn(embedding),
  new CreateVectorIndex(embedding, { method: 'hnsw', metric: 'cosine' }),
])
