import type { Knex } from 'knex'

import { deadlinesOf, type DeadlineOptions, type Deadlines } from '../database/deadlines.ts'
import { migrationConfigOf, type Hook } from '../database/migration-config.ts'
import type { Session } from '../database/session.ts'
import { optionsParser, textKind, valueKind } from '../core/option-kinds.ts'
import { identifier, literal, qualified, toRegclass, withoutEscapes } from '../core/sql.ts'

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
  readonly deadlines: Deadlines
  readonly hooks: Readonly<Record<'beforeAll' | 'beforeEach' | 'afterEach' | 'afterAll', Hook>>
}

/** The tables that keep what was migrated: two of Knex, and our notes on runs beside them. Quoted, ready for SQL. */
export interface MigrationTables {
  readonly migrations: string
  readonly lock: string
  readonly runs: string
}

type KnexOption = 'tableName' | 'schemaName' | 'migrationSource'

/** What {@link createMigrator} may be told besides what the Knex configuration says under `migrations`. */
export type MigratorOptions = { readonly [Name in KnexOption]?: Knex.MigratorConfig[Name] | undefined } & {
  /** How long the connections that a migrator opens by itself may take, in milliseconds or like '10s'. */
  readonly deadlines?: DeadlineOptions | undefined
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null

export const migratorKinds = {
  tableName: textKind,
  schemaName: textKind,
  migrationSource: valueKind<Knex.MigrationSource<unknown>>(isObject, 'must be a migration source'),
  deadlines: valueKind<DeadlineOptions>(isObject, 'must be an object'),
} as const satisfies Record<keyof MigratorOptions, unknown>

const parseMigratorOptions = optionsParser(migratorKinds)

/** Reads how a Knex instance migrates, from the place where stock Knex reads it. */
export function settingsOf(session: Session, options: MigratorOptions = {}): MigrationSettings {
  const { deadlines, ...given } = parseMigratorOptions(options)
  const merged = {
    ...migrationConfigOf(session),
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  }
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
    deadlines: deadlinesOf(deadlines),
    hooks: { beforeAll, beforeEach, afterEach, afterAll },
  }
}

/**
 * The oid of such a table in SQL; null where there is none. Without a schema it is the one in current_schema(), where stock
 * Knex looks for it and creates it: a namesake further down the search path is another application's.
 */
export function trackingTable(quoted: string): string {
  const isQualified = /^(?:U&)?"(?:[^"]|"")*"[.]/.test(quoted)
  if (isQualified) return toRegclass(quoted)
  const schema = 'pg_catalog.quote_ident(pg_catalog.current_schema())'
  return `pg_catalog.to_regclass(${schema} operator(pg_catalog.||) ${literal(`.${withoutEscapes(quoted)}`)})`
}

const none: Hook = () => undefined

function namesOf(tableName: string): MigrationTables {
  return { migrations: tableName, lock: `${tableName}_lock`, runs: `${tableName}_runs` }
}
