import { once } from 'node:events'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'

import Knex from 'knex'
import { isPgvectorMigrationError, migrateToLatest, migrationSource } from 'knex-pgvector'

const { DATABASE_URL, PORT } = process.env
if (!DATABASE_URL) throw new Error('Set DATABASE_URL to a PostgreSQL server')

const directory = fileURLToPath(new URL('migrations', import.meta.url))
const knex = Knex({
  client: 'pg',
  connection: DATABASE_URL,
  migrations: { migrationSource: migrationSource({ directory }) },
})

// A container that is stopped while it migrates rolls back and frees the lock.
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort(signal))

try {
  await migrate()
  await serve()
} catch (error) {
  if (!isPgvectorMigrationError(error)) throw error
  console.error(`${error.message}\n${error.hint}\n${error.docsUrl}`)
  process.exitCode = 1
} finally {
  await knex.destroy()
}

async function migrate() {
  const { migrations } = await migrateToLatest(knex, {
    wait: 120_000,
    signal: stop.signal,
    onEvent: ({ type, holder }) => {
      if (type === 'waiting') console.log(`waiting for ${holder?.host ?? 'somebody'} to migrate`)
    },
  })
  console.log(
    migrations.length === 0 ? 'nothing to migrate' : `migrated ${migrations.map(({ name }) => name).join(', ')}`,
  )
}

async function serve() {
  const server = createServer((request, response) => {
    answer(request).then(
      (body) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
      (error) => response.writeHead(error.status ?? 500).end(error.message),
    )
  })
  server.listen(Number(PORT ?? 3000))
  await once(server, 'listening')
  console.log(`listening on http://localhost:${server.address().port}`)

  if (!stop.signal.aborted) await once(stop.signal, 'abort')
  // Lets the requests that are under way finish.
  server.close()
  server.closeIdleConnections()
  await once(server, 'close')
}

async function answer({ url }) {
  if (url !== '/health') throw Object.assign(new Error('not found'), { status: 404 })
  const documents = await knex('documents').count().first()
  return { healthy: true, documents: Number(documents.count) }
}
