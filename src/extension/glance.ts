import { PgvectorMigrationError } from '../core/errors.ts'
import { majorSql } from '../database/server-facts.ts'
import type { Session } from '../database/session.ts'
import { isCitusSql, rememberSingle } from '../database/topology.ts'
import { literal, unquoted } from '../core/sql.ts'
import { detectProvider, markedFunctions, markedRoles, markedSettings } from '../pgvector/providers.ts'
import type { Caller, Glance, InstalledExtension, Reach } from './state.ts'
import { currentTarget } from '../database/target.ts'

/** The answer to {@link installedQuery}; null if the extension is not installed. */
export interface InstalledAnswer {
  readonly version: string
  /** Quoted if necessary. */
  readonly schema: string
  readonly oid: number
  /**
   * Null if this role may not use the schema, empty if the type vector is missing, otherwise what each operator
   * resolves to.
   */
  readonly operators: readonly (string | null)[] | null
  readonly reach: Reach
  readonly caller: Caller
}

/** The answer of the whole glance, before the provider is detected from its marks. */
export interface GlanceAnswer {
  readonly version: string
  readonly major: number
  readonly description: string
  /** The marks, in the order of {@link markedSettings}, {@link markedRoles} and {@link markedFunctions}. */
  readonly settings: readonly (string | null)[]
  readonly roles: readonly (string | null)[]
  readonly functions: readonly (string | null)[]
  readonly installed: InstalledAnswer | null
  readonly isCitus: boolean
  /** Identifies the extension, its version and its schema; null if it is not installed. */
  readonly fingerprint: string | null
}

// What earlier full reads returned. The key is the configuration, because a transaction has its own client.
const seenBefore = new WeakMap<object, { readonly fingerprint: string; readonly seen: Glance }>()

/**
 * The boot path. The first call with a Knex instance reads everything. While the extension remains the same, later
 * calls only check that it is, with a query that costs little more than reading extversion.
 *
 * This is enough because PostgreSQL does not drop single members of an extension: the same OID at the same version has
 * the same type and operators. The role, its privilege on the schema and the search path determine whether they can be
 * used.
 */
export async function glanceAtBoot(session: Session): Promise<Glance> {
  // A plan describes another server than the one it runs on.
  if (currentTarget() !== null) return glance(session)
  const before = seenBefore.get(session.identity)
  if (before !== undefined && (await session.askAsCaller<string | undefined>(fingerprintSql)) === before.fingerprint)
    return before.seen
  const answer = await session.askAsCaller<GlanceAnswer>(glanceSql())
  const seen = readGlance(answer)
  if (!seen.isCitus) rememberSingle(session)
  if (answer.fingerprint !== null && seen.installed?.missing.length === 0) {
    seenBefore.set(session.identity, { fingerprint: answer.fingerprint, seen })
  }
  return seen
}

/**
 * Reads what is enabled here and on which server, in one query that any role may send, in any transaction and on a
 * standby.
 */
export async function glance(session: Session): Promise<Glance> {
  return readGlance(await session.askAsCaller<GlanceAnswer>(glanceSql()))
}

export function readGlance({
  version,
  major,
  description,
  settings,
  roles,
  functions,
  installed,
  isCitus,
}: GlanceAnswer): Glance {
  assertSupported(description)
  const { server, provider } = currentTarget() ?? {
    server: { version, major, description },
    provider: detectProvider({
      server: description,
      settings: Object.fromEntries(markedSettings().map((name, index) => [name, settings[index] ?? null])),
      roles: existingNames(markedRoles(), roles),
      functions: existingNames(markedFunctions(), functions),
    }),
  }
  return { server, provider, isCitus, installed: installed === null ? null : readInstalled(installed) }
}

/**
 * Refuses a database that identifies itself as something else. CockroachDB has a vector type of its own, and no catalog
 * rows of the extension.
 */
export function assertSupported(description: string): void {
  if (!description.startsWith('CockroachDB')) return
  throw new PgvectorMigrationError('UNSUPPORTED_DATABASE', { database: 'CockroachDB, with a vector type of its own' })
}

function existingNames(names: readonly string[], found: readonly (string | null)[]): string[] {
  return names.filter((_, index) => (found[index] ?? null) !== null)
}

/** Parses the answer to {@link installedQuery}. */
export function readInstalled({ schema, operators, ...rest }: InstalledAnswer): InstalledExtension {
  return { ...rest, schema: unquoted(schema), missing: missing(operators) }
}

function missing(found: InstalledAnswer['operators']): string[] {
  if (found === null) return []
  if (found.length === 0) return ['type vector']
  const there = existingNames(operators, found)
  return operators.filter((operator) => !there.includes(operator)).map((operator) => `operator ${operator}`)
}

const operators = ['<->', '<#>', '<=>'] as const

const installedExtension = `from pg_catalog.pg_extension where extname operator(pg_catalog.=) 'vector'`

const mayUseSchema = `pg_catalog.has_schema_privilege(extnamespace, 'usage')`

const vectorType = `pg_catalog.to_regtype(pg_catalog.format('%s.vector', extnamespace::pg_catalog.regnamespace))`

const fingerprintSql = `
  select pg_catalog.concat_ws(' ', oid, extversion, extnamespace::pg_catalog.regnamespace, ${mayUseSchema}, current_user,
    pg_catalog.current_setting('search_path')) as state ${installedExtension}`

// Planning a join or a subquery would take longer than running this one scan of a tiny table with a few function calls.
// It avoids pg_settings, and pg_available_extension_versions, which scans the server's files (2 ms and more).
const installedSql = `
  select pg_catalog.json_build_object('version', extversion, 'schema', extnamespace::pg_catalog.regnamespace, 'oid', oid::bigint, 'operators', case
    when not ${mayUseSchema} then null
    when ${vectorType} is null then array[]::pg_catalog.regoperator[]
    else array[${operators.map(resolved).join(', ')}]
  end, 'reach', case when not ${mayUseSchema} then 'none' when pg_catalog.pg_type_is_visible(${vectorType}) then 'plain' else 'with schema' end,
  'caller', pg_catalog.json_build_object('role', current_user, 'database', pg_catalog.current_database(),
    'searchPath', pg_catalog.current_setting('search_path'))) ${installedExtension}`

/** The query for the extension alone; its one column is called state. */
export const installedQuery = `select (${installedSql}) as state`

function resolved(operator: string): string {
  return `pg_catalog.to_regoperator(pg_catalog.format('%1$s.${operator}(%1$s.vector,%1$s.vector)', extnamespace::pg_catalog.regnamespace))`
}

/** Returns the query of the glance; its one column is called state. */
export function glanceSql(): string {
  return `
    select pg_catalog.json_build_object(
      'version', pg_catalog.current_setting('server_version'),
      'major', ${majorSql},
      'description', pg_catalog.version(),
      'settings', ${list(markedSettings(), (name) => `pg_catalog.current_setting(${name}, true)`)},
      'roles', ${list(markedRoles(), (name) => `pg_catalog.to_regrole(${name})`)},
      'functions', ${list(markedFunctions(), (name) => `pg_catalog.to_regproc(${name})`)},
      'installed', (${installedSql}),
      'isCitus', ${isCitusSql},
      'fingerprint', (${fingerprintSql})
    ) as state`
}

function list(names: readonly string[], call: (name: string) => string): string {
  return `array[${names.map((name) => call(literal(name))).join(', ')}]`
}
