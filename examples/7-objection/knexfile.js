const path = require('node:path')

const { migrationSource } = require('knex-pgvector')
const { knexSnakeCaseMappers } = require('objection')

const { DATABASE_URL } = process.env
if (!DATABASE_URL) throw new Error('Set DATABASE_URL to a PostgreSQL server')

module.exports = {
  client: 'pg',
  connection: DATABASE_URL,
  migrations: { migrationSource: migrationSource({ directory: path.join(__dirname, 'migrations') }) },
  ...knexSnakeCaseMappers(),
}
