import { setTimeout as passed } from 'node:timers/promises'

import { PostgreSqlContainer, type StartedPostgreSqlContainer } from '@testcontainers/postgresql'
import Knex from 'knex'
import { Wait } from 'testcontainers'

import { hasTestServers, isWithoutServers, testServers, type TestServer, type TestServers } from './found-servers.ts'

/** The servers that the behaviour suite asks for: two with pgvector, one without it, one that is too old. */
const images = ['pgvector/pgvector:pg17', 'pgvector/pgvector:pg18', 'postgres:17', 'postgres:13'] as const

/** Finds servers: those already published, else TEST_DATABASE_URL, else Docker, else none. */
export async function startServers(): Promise<{ servers: TestServers; containers: StartedPostgreSqlContainer[] }> {
  // Whoever runs one test file again and again keeps the servers running, and publishes them in the shell.
  if (hasTestServers()) return { servers: testServers(), containers: [] }
  if (isWithoutServers()) return { servers: { found: [], missing: images }, containers: [] }
  const url = process.env['TEST_DATABASE_URL']
  if (url !== undefined && url !== '') {
    const server = await describeServer('TEST_DATABASE_URL', url)
    return { servers: { found: [server], missing: [] }, containers: [] }
  }
  const attempts = await Promise.all(images.map(async (image) => ({ image, container: await startImage(image) })))
  const started = attempts.flatMap(({ image, container }) => (container === null ? [] : [{ image, container }]))
  const found = await Promise.all(
    started.map(async ({ image, container }) => ({
      ...(await describeServer(image, container.getConnectionUri())),
      isInMemory: true,
    })),
  )
  const missing = attempts.filter(({ container }) => container === null).map(({ image }) => image)
  return { servers: { found, missing }, containers: started.map(({ container }) => container) }
}

/**
 * Starts an image; null where there is no Docker or no such image. Its files are in memory, where a database is made in a
 * quarter of the time, and gone when it stops. `ports` are those of further servers that will be started in it.
 */
export async function startImage(
  image: string,
  { ports = [], settings = [] }: { readonly ports?: readonly number[]; readonly settings?: readonly string[] } = {},
): Promise<StartedPostgreSqlContainer | null> {
  try {
    return await new PostgreSqlContainer(image)
      .withTmpFs({ '/memory': 'rw,mode=0777' })
      .withEnvironment({ PGDATA: '/memory/data' })
      .withExposedPorts(5432, ...ports)
      .withCommand(['postgres', ...['fsync=off', 'max_connections=300', ...settings].flatMap((each) => ['-c', each])])
      .withSharedMemorySize(512 * 1024 * 1024)
      // The default health check starts a process in each container four times a second for as long as it runs.
      .withHealthCheck({ test: ['CMD-SHELL', 'true'], interval: 3_600_000 })
      .withWaitStrategy(
        ports.length === 0 ? Wait.forListeningPorts() : Wait.forLogMessage(/ready to accept connections/),
      )
      .start()
  } catch (error) {
    process.stderr.write(`${image}: ${error instanceof Error ? error.message : String(error)}\n`)
    return null
  }
}

const STARTUP_MILLISECONDS = 120_000

async function describeServer(name: string, url: string): Promise<TestServer> {
  return { name, url, ...(await whenReady(url)) }
}

/** Waits until a server answers, which it does some time after its port does, and asks what it is. */
export async function whenReady(url: string): Promise<Pick<TestServer, 'major' | 'pgvector'>> {
  const deadline = Date.now() + STARTUP_MILLISECONDS
  for (;;) {
    try {
      return await factsOf(url)
    } catch (error) {
      if (Date.now() > deadline) throw error
      await passed(250)
    }
  }
}

async function factsOf(url: string): Promise<Pick<TestServer, 'major' | 'pgvector'>> {
  const knex = Knex({ client: 'pg', connection: url, log: { error: () => undefined, warn: () => undefined } })
  try {
    const { rows } = await knex.raw<{ rows: [{ major: number; pgvector: string | null }] }>(`
      select current_setting('server_version_num')::int / 10000 as major,
        (select default_version from pg_available_extensions where name = 'vector') as pgvector`)
    return rows[0]
  } finally {
    await knex.destroy()
  }
}
