const path = require('node:path')

const { migrationSource } = require('knex-pgvector')

module.exports = {
  client: 'pg',
  connection: process.env.DATABASE_URL,
  migrations: { migrationSource: migrationSource({ directory: path.join(__dirname, 'migrations') }) },
}
