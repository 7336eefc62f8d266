import { join } from 'node:path'

import Knex, { type Knex as KnexInstance } from 'knex'
import { migrationSource } from 'knex-pgvector'
import { embeddedPgvector } from 'knex-pgvector/embedded'

import { DocumentRepository } from '../src/document-repository'

let knex: KnexInstance
let documents: DocumentRepository

beforeAll(async () => {
  const directory = join(__dirname, '..', 'migrations')
  knex = Knex({ ...embeddedPgvector(), migrations: { migrationSource: migrationSource({ directory }) } })
  await knex.migrate.latest()
  documents = new DocumentRepository(knex)
}, 60_000)

afterEach(() => knex('documents').truncate())

afterAll(() => knex.destroy())

test('finds the nearest documents first', async () => {
  await documents.insert([
    { title: 'Steam engines', embedding: [0, 0.1, 0.9] },
    { title: 'Cats and kittens', embedding: [0.9, 0.1, 0] },
    { title: 'Dogs and puppies', embedding: [0.7, 0.6, 0.1] },
  ])
  const matches = await documents.nearest([1, 0, 0], 2)
  expect(matches.map(({ title }) => title)).toEqual(['Cats and kittens', 'Dogs and puppies'])
})

test('finds nothing where nothing is stored', async () => {
  expect(await documents.nearest([1, 0, 0], 2)).toEqual([])
})

test('refuses an embedding of other dimensions', async () => {
  const short = { title: 'Too short', embedding: [1, 0] }
  await expect(documents.insert([short])).rejects.toThrow('expected 3 dimensions, not 2')
})
