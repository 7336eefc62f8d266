const path = require('node:path')

const { migrationSource } = require('knex-pgvector')
const { embeddedPgvector } = require('knex-pgvector/embedded')

const { DATABASE_URL } = process.env

// A server where DATABASE_URL names one, else PostgreSQL in this process, kept in the folder .pgdata.
const database = DATABASE_URL
  ? { client: 'pg', connection: DATABASE_URL }
  : embeddedPgvector({ dataDir: path.join(__dirname, '.pgdata') })

module.exports = {
  ...database,
  migrations: { migrationSource: migrationSource({ directory: path.join(__dirname, 'migrations') }) },
}
