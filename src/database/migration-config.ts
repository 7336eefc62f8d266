import type { Knex } from 'knex'

import { clientOf } from './knex-inside.ts'
import type { Session } from './session.ts'

/** A hook of Knex's migrator: it is given the connection and the migrations it is called for. */
export type Hook = (knex: Knex, migrations: readonly unknown[]) => unknown

/** Knex's own migration settings, merged with its defaults, as its migrator holds them. */
export interface KnexMigrationConfig {
  readonly tableName: string
  readonly schemaName: string | null
  readonly disableTransactions: boolean
  readonly loadExtensions?: readonly string[]
  readonly migrationSource: Knex.MigrationSource<unknown>
  readonly beforeAll?: Hook
  readonly beforeEach?: Hook
  readonly afterEach?: Hook
  readonly afterAll?: Hook
}

/** How a Knex instance migrates, from the place where stock Knex reads it. */
export function migrationConfigOf({ knex }: Session): KnexMigrationConfig {
  return (knex.migrate as unknown as { readonly config: KnexMigrationConfig }).config
}

/** The names of the hooks that the user's configuration has around its migrations. */
export function configuredHooks({ knex }: Session): string[] {
  const { migrations = {} } = clientOf(knex).config
  return ['beforeAll', 'beforeEach', 'afterEach', 'afterAll'].filter((name) => name in migrations)
}
