import { once } from 'node:events'
import { createServer } from 'node:http'

import Knex from 'knex'
import { ensurePgvector, isPgvectorMigrationError } from 'knex-pgvector'

import { nearestColour } from './colours.js'

const { DATABASE_URL, PORT } = process.env
if (!DATABASE_URL) throw new Error('Set DATABASE_URL to a PostgreSQL server')

const knex = Knex({ client: 'pg', connection: DATABASE_URL })

try {
  await serve(await ensurePgvector(knex, { minVersion: '0.5.0' }))
} catch (error) {
  if (!isPgvectorMigrationError(error)) throw error
  console.error(`${error.message}\n${error.hint}\n${error.docsUrl}`)
  process.exitCode = 1
} finally {
  await knex.destroy()
}

async function serve(pgvector) {
  const server = createServer((request, response) => {
    answer(request, pgvector).then(
      (body) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
      (error) => response.writeHead(error.status ?? 500).end(error.message),
    )
  })
  server.listen(Number(PORT ?? 3000))
  await once(server, 'listening')
  const { port } = server.address()
  console.log(`listening on http://localhost:${port}`)
  process.send?.({ port })

  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
  // Lets the requests that are under way finish.
  server.close()
  server.closeIdleConnections()
  await once(server, 'close')
}

async function answer({ url }, { version, status }) {
  const { pathname, searchParams } = new URL(url, 'http://localhost')
  if (pathname === '/health') return { pgvector: version, status }
  if (pathname === '/search') return nearestColour(knex, searchParams.get('like'))
  throw Object.assign(new Error('not found'), { status: 404 })
}
