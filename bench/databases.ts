import { PostgreSqlContainer } from '@testcontainers/postgresql'
import Knex, { type Knex as KnexInstance } from 'knex'

import { embeddedPgvector } from './library.ts'

const IMAGE = 'pgvector/pgvector:pg17'

/** A server with pgvector that databases may be made on. */
export interface Server {
  readonly name: string
  readonly url: string
  stop(): Promise<unknown>
}

/** The server that BENCH_DATABASE_URL names, else one in Docker, with the settings that it comes with. */
export async function startServer(): Promise<Server> {
  const url = process.env['BENCH_DATABASE_URL']
  if (url !== undefined && url !== '') return { name: 'BENCH_DATABASE_URL', url, stop: () => Promise.resolve() }
  const container = await new PostgreSqlContainer(IMAGE).start()
  return { name: IMAGE, url: container.getConnectionUri(), stop: () => container.stop() }
}

/** Runs something on an empty database of that server, which is dropped afterwards. */
export async function withDatabase<Result>(server: Server, use: (url: string) => Promise<Result>): Promise<Result> {
  const database = await createDatabase(server)
  try {
    return await use(database.url)
  } finally {
    await database.drop()
  }
}

/** An empty database of that server. */
export async function createDatabase(server: Server): Promise<{ readonly url: string; drop(): Promise<void> }> {
  const name = `bench_${process.pid}_${Math.random().toString(36).slice(2)}`
  const url = new URL(server.url)
  url.pathname = `/${name}`
  await withKnex({ client: 'pg', connection: server.url }, (knex) => knex.raw(`create database ${name}`))
  return {
    url: url.href,
    drop: () =>
      withKnex({ client: 'pg', connection: server.url }, (knex) => knex.raw(`drop database ${name} with (force)`)),
  }
}

/** Runs something on one connection, as a warm pool has it. */
export async function onServer<Result>(url: string, use: (knex: KnexInstance) => Promise<Result>): Promise<Result> {
  return withKnex({ client: 'pg', connection: url, pool: { min: 1, max: 1 } }, use)
}

/** Runs something on the embedded database, in memory. */
export async function onEmbedded<Result>(use: (knex: KnexInstance) => Promise<Result>): Promise<Result> {
  return withKnex(embeddedPgvector(), use)
}

async function withKnex<Result>(
  config: KnexInstance.Config,
  use: (knex: KnexInstance) => Promise<Result>,
): Promise<Result> {
  const knex = Knex(config)
  try {
    return await use(knex)
  } finally {
    await knex.destroy()
  }
}
