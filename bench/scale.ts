import type { Knex } from 'knex'

import { onServer, startServer, withDatabase, type Server } from './databases.ts'
import { createMigrator, diffVectors, dropPgvector, findDependents, vectorColumn, vectorIndex } from './library.ts'
import { median } from './measure.ts'

const SCHEMAS = 1000
const ROUNDS = 3
const BATCH = 500

/** What grows with a database or a project, at several sizes. */
async function main(): Promise<void> {
  const server = await startServer()
  try {
    await timeDependents(server)
    await timeDiff(server)
    await timeRehearsal(server)
  } finally {
    await server.stop()
  }
}

async function timeDependents(server: Server): Promise<void> {
  for (const tables of [2500, 5000, 10_000]) {
    await withTables(server, `${SCHEMAS} schemas, ${tables} tables`, tables, async (knex, label) => {
      report(`findDependents, ${label}`, await medianOf(() => findDependents(knex)))
      report(`dropPgvector, ${label}`, await medianOf(() => dropPgvector(knex, { logger: false })))
    })
  }
}

async function timeDiff(server: Server): Promise<void> {
  for (const tables of [500, 1000, 2000]) {
    await withTables(server, `${tables} columns and indexes`, tables, async (knex, label) => {
      const columns = Array.from({ length: tables }, (_, place) =>
        vectorColumn(`t_${place + 1}`, 'e', { dimensions: 3, schema: schemaOf(place + 1) }),
      )
      const indexes = columns.map((column) => vectorIndex(column, { method: 'hnsw', metric: 'cosine' }))
      await create(
        knex,
        tables,
        `create index t_%2$s_e_hnsw_cosine_idx on s_%1$s.t_%2$s using hnsw (e vector_cosine_ops)`,
      )
      report(`diff, ${label}`, await medianOf(() => diffVectors(knex, { columns, indexes })))
    })
  }
}

async function timeRehearsal(server: Server): Promise<void> {
  for (const count of [50, 300, 2000]) {
    await withDatabase(server, (url) =>
      onServer(url, async (knex) => {
        const migrator = createMigrator(knex, { migrationSource: sourceOf(count) })
        const rehearsed = await timed(() => migrator.rehearse())
        const applied = await timed(() => migrator.up())
        report(`rehearse, ${count} migrations`, rehearsed)
        report(`up, ${count} migrations`, applied)
        process.stdout.write(`  ${(rehearsed / applied).toFixed(1)} times up; at most 3\n`)
      }),
    )
  }
}

function sourceOf(count: number): Knex.MigrationSource<{ readonly name: string; readonly place: number }> {
  const migrations = Array.from({ length: count }, (_, place) => ({ name: String(place).padStart(5, '0'), place }))
  return {
    getMigrations: () => Promise.resolve(migrations),
    getMigrationName: ({ name }) => name,
    getMigration: ({ place }) =>
      Promise.resolve({
        up: (knex) => knex.raw(`create table t_${place} (id int primary key, title text)`),
        down: (knex) => knex.raw(`drop table t_${place}`),
      }),
  }
}

async function withTables(
  server: Server,
  label: string,
  tables: number,
  work: (knex: Knex, label: string) => Promise<void>,
): Promise<void> {
  await withDatabase(server, (url) =>
    onServer(url, async (knex) => {
      await knex.raw(`create extension vector;
        do $$ begin for i in 1..${SCHEMAS} loop execute format('create schema s_%s', i); end loop; end $$`)
      await create(knex, tables, 'create table s_%1$s.t_%2$s (id int, title text, e vector(3))')
      await knex.raw('vacuum analyze')
      await work(knex, label)
    }),
  )
}

// One transaction cannot lock all of them.
async function create(knex: Knex, tables: number, sql: string): Promise<void> {
  for (let from = 1; from <= tables; from += BATCH) {
    const to = Math.min(tables, from + BATCH - 1)
    await knex.raw(
      `do $$ begin for i in ${from}..${to} loop execute format('${sql}', i % ${SCHEMAS} + 1, i); end loop; end $$`,
    )
  }
}

function schemaOf(table: number): string {
  return `s_${(table % SCHEMAS) + 1}`
}

async function medianOf(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) times.push(await timed(work))
  return median(times)
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

function report(what: string, milliseconds: number): void {
  process.stdout.write(`${what}: ${milliseconds.toFixed(0)} ms\n`)
}

void main()
