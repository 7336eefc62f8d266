import { defineConfig } from '@adonisjs/lucid'

const { DATABASE_URL } = process.env
if (!DATABASE_URL) throw new Error('Set DATABASE_URL to a PostgreSQL server')

export default defineConfig({
  connection: 'postgres',
  connections: {
    postgres: { client: 'pg', connection: DATABASE_URL, migrations: { paths: ['database/migrations'] } },
  },
})
