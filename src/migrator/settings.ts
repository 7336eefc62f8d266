import type { Knex } from 'knex'

import { deadlinesOf, type DeadlineOptions, type Deadlines } from '../database/deadlines.ts'
import { migrationConfigOf, type Hook, type KnexMigrationConfig } from '../database/migration-config.ts'
import type { Session } from '../database/session.ts'
import { PgvectorMigrationError } from '../core/errors.ts'
import {
  flagKind,
  functionKind,
  optionsParser,
  textKind,
  textOrTextsKind,
  textsKind,
  valueKind,
} from '../core/option-kinds.ts'
import { identifier, literal, qualified, toRegclass, withoutEscapes } from '../core/sql.ts'
import { migrationSource } from './files/source.ts'
import type { Place } from './place.ts'

/** How a Knex instance migrates, as the runner needs it. */
export interface MigrationSettings {
  readonly tables: MigrationTables
  /** The same names, unquoted. */
  readonly names: MigrationTables
  /** The schema of the tables; null if the search path determines it. */
  readonly schema: string | null
  /** The schema that the migrations work in; null if the connection determines it. */
  readonly place: Place | null
  readonly source: Knex.MigrationSource<unknown>
  /** The folder in which Knex creates a new migration; null if only a custom source knows it. */
  readonly folder: string | null
  readonly loadExtensions: readonly string[]
  readonly disableTransactions: boolean
  /** Whether the files of applied migrations may be missing. */
  readonly allowsMissingFiles: boolean
  readonly deadlines: Deadlines
  readonly hooks: Readonly<Record<'beforeAll' | 'beforeEach' | 'afterEach' | 'afterAll', Hook>>
}

/** The tracking tables: Knex's two tables, and our table of runs. Quoted, ready for SQL. */
export interface MigrationTables {
  readonly migrations: string
  readonly lock: string
  readonly runs: string
}

/** The tables that a run may use: `runs` is null if another role controls that table, which is then neither read nor written. */
export type UsableTables = Omit<MigrationTables, 'runs'> & { readonly runs: string | null }

type KnexOption =
  | 'tableName'
  | 'schemaName'
  | 'migrationSource'
  | 'directory'
  | 'loadExtensions'
  | 'sortDirsSeparately'
  | 'disableTransactions'
  | 'disableMigrationsListValidation'

/**
 * Options of {@link createMigrator}, in addition to `migrations` in the Knex configuration. Knex's own settings are
 * merged as `knex.migrate.latest(config)` merges them.
 */
export type MigratorOptions = { readonly [Name in KnexOption]?: Knex.MigratorConfig[Name] | undefined } & {
  readonly [Name in keyof MigrationSettings['hooks']]?: Hook | undefined
} & {
  /** Time limits for the connections that a migrator opens itself, in milliseconds or like '10s'. */
  readonly deadlines?: DeadlineOptions | undefined
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null

const hookKind = functionKind<Hook>()

/** @internal */
export const migratorKinds = {
  tableName: textKind,
  schemaName: textKind,
  migrationSource: valueKind<Knex.MigrationSource<unknown>>(isObject, 'must be a migration source'),
  directory: textOrTextsKind,
  loadExtensions: textsKind,
  sortDirsSeparately: flagKind,
  disableTransactions: flagKind,
  disableMigrationsListValidation: flagKind,
  beforeAll: hookKind,
  beforeEach: hookKind,
  afterEach: hookKind,
  afterAll: hookKind,
  deadlines: valueKind<DeadlineOptions>(isObject, 'must be an object'),
} as const satisfies Record<keyof MigratorOptions, unknown>

const parseMigratorOptions = optionsParser(migratorKinds)

/**
 * Reads how a Knex instance migrates, from the place where stock Knex reads it.
 *
 * This library's own source reads folders, because it supports TypeScript. Their migrations have the names that Knex
 * gives them.
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, also if no table can have such a name.
 */
export function settingsOf(session: Session, options: MigratorOptions = {}): MigrationSettings {
  const { deadlines, ...all } = parseMigratorOptions(options)
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
  const merged = migrationConfigOf(session, given)
  const { beforeAll = noHook, beforeEach = noHook, afterEach = noHook, afterAll = noHook, folders } = merged
  const { schema, names } = placeOf(merged)
  const quoted = (name: string): string => (schema === null ? identifier(name) : qualified(schema, name))
  return {
    tables: { migrations: quoted(names.migrations), lock: quoted(names.lock), runs: quoted(names.runs) },
    names,
    schema,
    place: null,
    source: merged.source ?? migrationSource({ ...folders, keepExtensions: true }),
    folder: merged.source === null ? lastOf(folders.directory) : null,
    loadExtensions: folders.loadExtensions,
    disableTransactions: merged.disableTransactions,
    allowsMissingFiles: merged.disableMigrationsListValidation,
    deadlines: deadlinesOf(deadlines),
    hooks: { beforeAll, beforeEach, afterEach, afterAll },
  }
}

/** Returns the same settings for migrations that work in one schema, and are tracked there. */
export function inPlace(settings: MigrationSettings, place: Place): MigrationSettings {
  const { names } = settings
  const tables: MigrationTables = {
    migrations: qualified(place.schema, names.migrations),
    lock: qualified(place.schema, names.lock),
    runs: qualified(place.schema, names.runs),
  }
  return { ...settings, schema: place.schema, tables, place }
}

/**
 * Returns SQL for the OID of such a table, or null if there is none. Without a schema, it is the table in
 * current_schema(), where stock Knex looks for it and creates it. A table of the same name further down the search path
 * belongs to another application.
 */
export function trackingTable(quoted: string): string {
  const isQualified = /^(?:U&)?"(?:[^"]|"")*"[.]/.test(quoted)
  if (isQualified) return toRegclass(quoted)
  const schema = 'pg_catalog.quote_ident(pg_catalog.current_schema())'
  return `pg_catalog.to_regclass(${schema} operator(pg_catalog.||) ${literal(`.${withoutEscapes(quoted)}`)})`
}

/** Replaces a hook that is not configured. */
export const noHook: Hook = () => undefined

/**
 * Splits the name of a table as Knex does: a dot in the name follows a schema, and blanks around either part are
 * removed.
 */
function placeOf({ tableName, schemaName }: Pick<KnexMigrationConfig, 'tableName' | 'schemaName'>): {
  readonly schema: string | null
  readonly names: MigrationTables
} {
  const isInSchema = schemaName !== null && schemaName !== ''
  const parts = (isInSchema ? `${schemaName}.${tableName}` : tableName).split('.')
  if (parts.length > 2) {
    const problem = `${parts.join('.')} is no table: PostgreSQL has a schema and a name; give one schema, in tableName or in schemaName`
    throw new PgvectorMigrationError('INVALID_OPTIONS', { problems: [`tableName: ${problem}`] })
  }
  const name = parts.at(-1) ?? ''
  return {
    schema: parts.length === 1 ? null : (parts[0] ?? '').trim(),
    names: { migrations: name.trim(), lock: `${name}_lock`.trim(), runs: `${name}_runs`.trim() },
  }
}

function lastOf(directory: string | readonly string[]): string | null {
  return (typeof directory === 'string' ? directory : directory.at(-1)) ?? null
}
