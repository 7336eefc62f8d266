import { join } from 'node:path'

import type { Knex } from 'knex'
import { migrationSource } from 'knex-pgvector'
import { embeddedPgvector } from 'knex-pgvector/embedded'

const { DATABASE_URL, PGLITE_DATA_DIR } = process.env

/** A server where DATABASE_URL names one, else the embedded database in a folder that git ignores. */
const database: Knex.Config =
  DATABASE_URL === undefined || DATABASE_URL === ''
    ? embeddedPgvector({ dataDir: PGLITE_DATA_DIR ?? join(__dirname, '.pgdata') })
    : { client: 'pg', connection: DATABASE_URL }

const config: Knex.Config = {
  ...database,
  migrations: { migrationSource: migrationSource({ directory: join(__dirname, 'migrations') }) },
}

export default config
