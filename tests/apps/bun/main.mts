import { strictEqual } from 'node:assert/strict'

import Knex from 'knex'
import { ensurePgvector, migrationSource } from 'knex-pgvector'
import { embeddedPgvector } from 'knex-pgvector/embedded'
import { createMigrator } from 'knex-pgvector/migrator'

const url = process.env['DATABASE_URL'] ?? ''
const database = url === '' ? embeddedPgvector() : { client: 'pg', connection: url }
const knex = Knex({ ...database, migrations: { migrationSource: migrationSource({ directory: 'migrations' }) } })
try {
  const migrator = createMigrator(knex)
  strictEqual((await migrator.up()).migrations.length, 1)
  strictEqual((await ensurePgvector(knex, { logger: false })).status, 'unchanged')
  await knex('documents').insert({ id: 1, embedding: '[1,2,3]' })
  const { rows } = await knex.raw(`select embedding <=> '[1,2,3]' as distance from documents`)
  strictEqual(rows[0].distance, 0)
  strictEqual((await migrator.down()).migrations.length, 1)
  strictEqual((await migrator.status())[0]?.state, 'pending')
  const where = url === '' ? 'on PGlite' : 'on a server'
  process.stdout.write(`Bun ${process.versions['bun']}: applied, searched and rolled back ${where}\n`)
} finally {
  await knex.destroy()
}
