import type { Knex } from 'knex'

import { assertPostgres, type Database } from '../database/queryable.ts'
import { identifier, qualified } from '../core/sql.ts'

/** A hook of Knex's migrator: it is given the connection and the migrations it is called for. */
type Hook = (knex: Knex, migrations: readonly unknown[]) => unknown

/** Knex's own migration settings, merged with its defaults, as its migrator holds them. */
interface KnexMigrationConfig {
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

/** What the runner needs to know of how a Knex instance migrates. */
export interface MigrationSettings {
  readonly tables: MigrationTables
  /** The same names unquoted. */
  readonly names: MigrationTables
  /** The schema of the tables; null where the search path decides. */
  readonly schema: string | null
  readonly source: Knex.MigrationSource<unknown>
  readonly loadExtensions: readonly string[]
  readonly disableTransactions: boolean
  readonly hooks: Readonly<Record<'beforeAll' | 'beforeEach' | 'afterEach' | 'afterAll', Hook>>
}

/** The tables that keep what was migrated: two of Knex, and our notes on runs beside them. Quoted, ready for SQL. */
export interface MigrationTables {
  readonly migrations: string
  readonly lock: string
  readonly runs: string
}

/** What {@link createMigrator} may be told besides what the Knex configuration says under `migrations`. */
export type MigratorOptions = Pick<Knex.MigratorConfig, 'tableName' | 'schemaName' | 'migrationSource'>

/** Reads how a Knex instance migrates, from the very place where stock Knex reads it. */
export function settingsOf(db: Database, options: MigratorOptions = {}): MigrationSettings {
  assertPostgres(db)
  const { config } = db.migrate as unknown as { readonly config: KnexMigrationConfig }
  const merged = { ...config, ...options }
  const { beforeAll = none, beforeEach = none, afterEach = none, afterAll = none } = merged
  const schema = merged.schemaName ?? null
  const names = namesOf(merged.tableName)
  const quoted = (name: string): string => (schema === null ? identifier(name) : qualified(schema, name))
  return {
    tables: { migrations: quoted(names.migrations), lock: quoted(names.lock), runs: quoted(names.runs) },
    names,
    schema,
    source: merged.migrationSource,
    loadExtensions: merged.loadExtensions ?? [],
    disableTransactions: merged.disableTransactions,
    hooks: { beforeAll, beforeEach, afterEach, afterAll },
  }
}

const none: Hook = () => undefined

function namesOf(tableName: string): MigrationTables {
  return { migrations: tableName, lock: `${tableName}_lock`, runs: `${tableName}_runs` }
}
