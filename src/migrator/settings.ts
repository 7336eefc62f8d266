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

/** What the runner needs to know of how a Knex instance migrates. */
export interface MigrationSettings {
  readonly tables: MigrationTables
  /** The same names unquoted. */
  readonly names: MigrationTables
  /** The schema of the tables; null where the search path decides. */
  readonly schema: string | null
  readonly source: Knex.MigrationSource<unknown>
  /** Where Knex puts a new migration; null where only a source of the user's own knows. */
  readonly folder: string | null
  readonly loadExtensions: readonly string[]
  readonly disableTransactions: boolean
  /** Whether the files of applied migrations may be gone. */
  readonly allowsMissingFiles: boolean
  readonly deadlines: Deadlines
  readonly hooks: Readonly<Record<'beforeAll' | 'beforeEach' | 'afterEach' | 'afterAll', Hook>>
}

/** The tables that keep what was migrated: two of Knex, and our notes on runs beside them. Quoted, ready for SQL. */
export interface MigrationTables {
  readonly migrations: string
  readonly lock: string
  readonly runs: string
}

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
 * What {@link createMigrator} may be told besides what the Knex configuration says under `migrations`: Knex's own
 * settings, merged as `knex.migrate.latest(config)` merges them.
 */
export type MigratorOptions = { readonly [Name in KnexOption]?: Knex.MigratorConfig[Name] | undefined } & {
  readonly [Name in keyof MigrationSettings['hooks']]?: Hook | undefined
} & {
  /** How long the connections that a migrator opens by itself may take, in milliseconds or like '10s'. */
  readonly deadlines?: DeadlineOptions | undefined
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null

const hookKind = functionKind<Hook>()

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
 * Folders are read by a source of ours, which knows TypeScript; their migrations have the names that Knex gives them.
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, also where no table can have such a name.
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
    source: merged.source ?? migrationSource({ ...folders, keepExtensions: true }),
    folder: merged.source === null ? lastOf(folders.directory) : null,
    loadExtensions: folders.loadExtensions,
    disableTransactions: merged.disableTransactions,
    allowsMissingFiles: merged.disableMigrationsListValidation,
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

/** What stands for a hook that is not configured. */
export const noHook: Hook = () => undefined

/** Where Knex looks for its tables: a dot in their name comes after a schema, and blanks around either are dropped. */
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
