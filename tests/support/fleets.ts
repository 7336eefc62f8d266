import type { Knex } from 'knex'

import { identifier } from '../../src/core/sql.ts'
import { createFleet, type Fleet, type FleetOptions, type Tenant } from '../../src/fleet.ts'
import type { TestDatabase } from './databases.ts'

/** A migration of a test: statements, or a function. */
export type Step = string | ((knex: Knex) => PromiseLike<unknown>)

/** Migrations in memory: up, down, and whether they run in a transaction. */
export type Steps = Readonly<Record<string, readonly [up: Step, down?: Step, transaction?: boolean]>>

export function sourceOf(steps: Steps): Knex.MigrationSource<string> {
  const run = (step: Step) => async (knex: Knex) => {
    await (typeof step === 'string' ? knex.raw(step) : step(knex))
  }
  return {
    getMigrations: () => Promise.resolve(Object.keys(steps)),
    getMigrationName: (name) => name,
    getMigration: (name) => {
      const [up, down = 'select 1', transaction = true] = steps[name] ?? ['select 1']
      return Promise.resolve({ up: run(up), down: run(down), config: { transaction } })
    },
  }
}

/** Two migrations that name no schema. */
export const twoTables: Steps = {
  '001_first': ['create table first (id int)', 'drop table first'],
  '002_second': ['create table second (id int)', 'drop table second'],
}

export function tenantsOf(schemas: readonly string[]): Tenant[] {
  return schemas.map((schema) => ({ name: schema, schema }))
}

export async function createSchemas({ knex }: TestDatabase, schemas: readonly string[]): Promise<void> {
  for (const schema of schemas) await knex.raw(`create schema ${identifier(schema)}`)
}

/** A fleet of schemas in the database of a test. */
export function fleetOf(
  { url }: TestDatabase,
  schemas: readonly string[],
  steps: Steps = twoTables,
  { config, ...options }: Partial<FleetOptions> & { readonly config?: Knex.Config } = {},
): Fleet {
  const migrations = { migrationSource: sourceOf(steps) }
  return createFleet({
    tenants: tenantsOf(schemas),
    knex: () => ({ client: 'pg', connection: url ?? '', migrations, ...config }),
    ...options,
  })
}

/** The schemas that have a table of this name. */
export async function schemasWith({ knex }: TestDatabase, table: string): Promise<string[]> {
  return knex('pg_tables').where('tablename', table).orderBy('schemaname').pluck('schemaname')
}
