import type { Knex } from 'knex'

import { migrationSource } from '../../src/index.ts'
import type { FileMigration } from '../../src/migrator/files/source.ts'

export const initialSchema = '001_initial_schema'
export const semanticSearch = '002_add_semantic_search'
export const scalingTables = '003_add_scaling_tables'

/** What `npx knex migrate:…` does, with this repository's migrations (or a build of them) on the database of a test. */
export interface Migrations {
  /** The names of the migrations that ran. */
  latest(): Promise<string[]>
  up(name: string): Promise<string[]>
  down(name: string): Promise<string[]>
  rollbackAll(): Promise<string[]>
  pending(): Promise<string[]>
}

export function migrationsOf(knex: Knex, directory = 'migrations'): Migrations {
  const source = migrationSource({ directory })
  const config: Knex.MigratorConfig = { migrationSource: source }
  return {
    latest: async () => namesOf(await knex.migrate.latest(config)),
    up: async (name) => namesOf(await knex.migrate.up({ ...config, name })),
    down: async (name) => namesOf(await knex.migrate.down({ ...config, name })),
    rollbackAll: async () => namesOf(await knex.migrate.rollback(config, true)),
    pending: async () => {
      const [, pending] = (await knex.migrate.list(config)) as [unknown, FileMigration[]]
      return pending.map(({ file }) => file)
    },
  }
}

/** 001 and 003, which is all that the functions of 003 need: it saves the time that pgvector takes. */
export async function migrateWithoutSearch(knex: Knex): Promise<void> {
  const migrations = migrationsOf(knex)
  await migrations.up(initialSchema)
  await migrations.up(scalingTables)
}

// Knex's types know a batch only as any: its number, and the names of what ran.
function namesOf([, names]: [number, string[]]): string[] {
  return names
}

/** Keeps the console quiet during each test of a file: migrations tell people what they do. */
export function silenceConsole(): void {
  beforeEach(() => {
    for (const method of ['info', 'warn', 'log'] as const) jest.spyOn(console, method).mockImplementation()
  })
  afterEach(() => {
    jest.restoreAllMocks()
  })
}
