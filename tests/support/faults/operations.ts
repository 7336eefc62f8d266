import type { Knex } from 'knex'

import {
  AddVectorColumn,
  backfillVectors,
  createVectorIndex,
  CreateVectorIndex,
  EnablePgvector,
  ensurePgvector,
  migration,
  vectorColumn,
  vectorIndex,
  type Operation,
} from '../../../src/index.ts'
import { createMigrator, type Migrator } from '../../../src/migrator.ts'
import { currentDeadlines } from './deadlines.ts'

/** What is run while its connections fail. */
export interface FaultyOperation {
  readonly name: string
  /** Makes an empty database what the operation starts from. */
  readonly prepare: (knex: Knex) => Promise<void>
  readonly run: (knex: Knex) => Promise<unknown>
}

const embedding = vectorColumn('documents', 'embedding', { dimensions: 3 })
const index = vectorIndex(embedding, { method: 'hnsw', metric: 'l2' })
const quiet = { logger: false } as const

const sqlMigration = (up: string, down: string) => ({
  up: (knex: Knex) => knex.raw(up),
  down: (knex: Knex) => knex.raw(down),
})

const composed = (operation: Operation) => migration([operation])

// One of each kind: in a transaction and outside of any, ours and a user's.
const modules = {
  '001_enable': composed(new EnablePgvector(quiet)),
  '002_documents': sqlMigration(
    `create table documents (id int primary key, body text); insert into documents (id, body) values (1, 'a'), (2, 'b')`,
    'drop table documents',
  ),
  '003_column': composed(new AddVectorColumn(embedding, quiet)),
  '004_index': composed(new CreateVectorIndex(embedding, { method: 'hnsw', metric: 'l2' }, quiet)),
  '005_rows': sqlMigration(
    `insert into documents (id, body) values (100, 'c')`,
    `delete from documents where body = 'c'`,
  ),
}

const migrationSource: Knex.MigrationSource<string> = {
  getMigrations: () => Promise.resolve(Object.keys(modules)),
  getMigrationName: (name) => name,
  getMigration: (name) => Promise.resolve(modules[name as keyof typeof modules] as unknown as Knex.Migration),
}

const migrator = (knex: Knex): Migrator => createMigrator(knex, { migrationSource, deadlines: currentDeadlines() })

async function createDocuments(knex: Knex): Promise<void> {
  await ensurePgvector(knex, quiet)
  await knex.raw(`create table documents (id serial primary key, body text, embedding vector(3));
    insert into documents (body, embedding) select n, array[n, n, n]::vector(3) from generate_series(1, 9) as n`)
}

const nothing = (): Promise<void> => Promise.resolve()

export const operations: readonly FaultyOperation[] = [
  {
    name: 'up',
    // To create the extension takes longer than the rest; "up in a batch" does.
    prepare: async (knex) => {
      await ensurePgvector(knex, quiet)
    },
    run: (knex) => migrator(knex).up(),
  },
  {
    name: 'up in a batch',
    prepare: nothing,
    run: (knex) => migrator(knex).up({ to: '003', transaction: 'batch' }),
  },
  {
    name: 'down',
    prepare: async (knex) => {
      await migrator(knex).up()
    },
    run: (knex) => migrator(knex).down({ steps: 5 }),
  },
  { name: 'ensurePgvector', prepare: nothing, run: (knex) => ensurePgvector(knex, quiet) },
  { name: 'createVectorIndex', prepare: createDocuments, run: (knex) => createVectorIndex(knex, index, quiet) },
  {
    name: 'backfillVectors',
    prepare: async (knex) => {
      await createDocuments(knex)
      await knex.raw('update documents set embedding = null')
    },
    run: (knex) =>
      backfillVectors(knex, embedding, {
        ...quiet,
        read: ['body'],
        batchSize: 4,
        embed: (rows) => Promise.resolve(rows.map(({ body }) => [Number(body), 1, 1])),
      }),
  },
]
