import { availableParallelism } from 'node:os'

import Knex, { type Knex as KnexInstance } from 'knex'

import type { FleetReport } from '../src/fleet.ts'
import { startServer, withDatabase } from './databases.ts'
import { createFleet } from './library.ts'
import { measure, median, type Contender } from './measure.ts'

const TENANTS = Number(process.env['BENCH_TENANTS'] ?? 1000)
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3)
const CONCURRENCY = 4

// Three small migrations.
const statements: Readonly<Record<string, string>> = {
  '001_accounts': 'create table accounts (id serial primary key, name text not null)',
  '002_documents': 'create table documents (id serial primary key, account int references accounts, body text)',
  '003_index': 'create index documents_account_idx on documents (account)',
}

const migrationSource: KnexInstance.MigrationSource<string> = {
  getMigrations: () => Promise.resolve(Object.keys(statements)),
  getMigrationName: (name) => name,
  getMigration: (name) =>
    Promise.resolve({
      up: async (knex: KnexInstance) => {
        await knex.raw(statements[name] ?? '')
      },
      down: () => Promise.resolve(),
    }),
}

const schemas = Array.from({ length: TENANTS }, (_, number) => `tenant_${number}`)

async function main(): Promise<void> {
  const server = await startServer()
  try {
    await withDatabase(server, (url) => compare(url, server.name))
  } finally {
    await server.stop()
  }
}

async function compare(url: string, name: string): Promise<void> {
  const config = { client: 'pg', connection: url, migrations: { migrationSource } }
  const fresh = { prepare: () => createSchemas(url), cleanUp: () => dropSchemas(url) }
  const rounds = { warmUp: 0, counted: ROUNDS }
  const first = await measure(
    {
      stock: { ...fresh, run: () => stock(config) },
      fleet: { ...fresh, run: () => fleet(config) },
      'a connection each': { ...fresh, run: () => fleet(config, 'connection') },
    },
    rounds,
  )
  await createSchemas(url)
  await fleet(config)
  const again: Record<'stock' | 'fleet', Contender> = {
    stock: { run: () => stock(config) },
    fleet: { run: () => fleet(config) },
  }
  const nothing = await measure(again, rounds)
  console.log(
    `${TENANTS} schemas, ${CONCURRENCY} at once, ${availableParallelism()} cores, ${name}, median of ${ROUNDS}`,
  )
  for (const [what, { stock: compared, ...others }] of Object.entries({ fresh: first, 'nothing to do': nothing })) {
    for (const [contender, times] of Object.entries(others)) {
      const ratio = (median(times) / median(compared)).toFixed(2)
      console.log(`${what}: stock ${milliseconds(compared)}, ${contender} ${milliseconds(times)}: ${ratio} times`)
    }
  }
}

function milliseconds(times: readonly number[]): string {
  return `${Math.round(median(times))} ms`
}

// What applications write by hand: a Knex instance with one connection for each tenant.
async function stock(config: KnexInstance.Config): Promise<void> {
  const queue = [...schemas]
  const worker = async (): Promise<void> => {
    for (let schema = queue.shift(); schema !== undefined; schema = queue.shift()) {
      const knex = Knex({ ...config, searchPath: [schema], pool: { min: 0, max: 1 } })
      await knex.migrate.latest()
      await knex.destroy()
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
}

async function fleet(config: KnexInstance.Config, isolation?: 'connection'): Promise<FleetReport> {
  const tenants = schemas.map((schema) => ({ name: schema, schema }))
  const report = await createFleet({ tenants, knex: () => config }).up({
    concurrency: CONCURRENCY,
    canary: 0,
    isolation,
  })
  if (report.failed.length > 0) throw new Error(JSON.stringify(report.failed[0]))
  return report
}

function createSchemas(url: string): Promise<void> {
  return eachSchema(url, (schema) => `create schema ${schema}`)
}

function dropSchemas(url: string): Promise<void> {
  return eachSchema(url, (schema) => `drop schema ${schema} cascade`)
}

async function eachSchema(url: string, statement: (schema: string) => string): Promise<void> {
  const knex = Knex({ client: 'pg', connection: url, pool: { min: 1, max: 1 } })
  try {
    for (const schema of schemas) await knex.raw(statement(schema))
  } finally {
    await knex.destroy()
  }
}

void main()
