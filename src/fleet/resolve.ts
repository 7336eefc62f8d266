import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../core/errors.ts'
import type { ConnectionLimit } from '../database/connection-limit.ts'
import { openTenantKnex } from '../database/tenant-knex.ts'
import { listMigrations, type MigrationFiles } from '../migrator/files/list.ts'
import { inPlace, settingsOf, type MigrationSettings } from '../migrator/settings.ts'
import type { FleetOptions } from './options.ts'
import type { Tenant } from './tenants.ts'

/** A tenant with its configuration. */
export interface ResolvedTenant {
  readonly name: string
  /** Null for a tenant that has its own database. */
  readonly schema: string | null
  readonly config: Knex.Config
  /** The search path behind the tenant's schema; null for the default of the role. */
  readonly searchPath: readonly string[] | null
  /** The same for tenants that are in one database and are reached in the same way. */
  readonly database: unknown
  readonly settings: MigrationSettings
  /** The same for tenants with the same migrations. */
  readonly files: () => Promise<MigrationFiles>
}

/** A tenant that has no usable configuration. */
export interface UnresolvedTenant {
  readonly name: string
  readonly problem: unknown
}

/** What is read once for tenants whose configurations are about the same migrations. */
type Migrations = Pick<ResolvedTenant, 'settings' | 'files'>

/** Reads the configuration of every tenant, without connecting. */
export async function resolveTenants(
  tenants: readonly Tenant[],
  configOf: FleetOptions['knex'],
  limit: ConnectionLimit,
): Promise<readonly (ResolvedTenant | UnresolvedTenant)[]> {
  const known = new Map<unknown, Migrations>()
  const places = new Map<unknown, Set<string | null>>()
  const resolved: (ResolvedTenant | UnresolvedTenant)[] = []
  for (const tenant of tenants) {
    try {
      const found = await resolveTenant(tenant, configOf, limit, known)
      const taken = places.get(found.database) ?? new Set()
      places.set(found.database, taken)
      if (taken.has(found.schema)) throw invalid('its schema and database are those of another tenant')
      taken.add(found.schema)
      resolved.push(found)
    } catch (problem) {
      resolved.push({ name: tenant.name, problem })
    }
  }
  return resolved
}

async function resolveTenant(
  tenant: Tenant,
  configOf: FleetOptions['knex'],
  limit: ConnectionLimit,
  known: Map<unknown, Migrations>,
): Promise<ResolvedTenant> {
  const given: unknown = await configOf(tenant)
  if (typeof given !== 'object' || given === null) throw invalid('knex: must return a Knex configuration')
  const { name, schema = null, connection } = tenant
  const config: Knex.Config = { ...given, ...(connection === undefined ? {} : { connection }) }
  const key = keyOf(config.migrations ?? {})
  const migrations = known.get(key) ?? (await readMigrations(config, limit))
  known.set(key, migrations)
  const searchPath = listOf(config.searchPath)
  return {
    name,
    schema,
    config,
    searchPath: schema === null ? searchPath : (searchPath ?? ['public']).filter((each) => each !== schema),
    database: keyOf(config.connection),
    settings: schema === null ? migrations.settings : ownTables(migrations.settings, schema),
    files: migrations.files,
  }
}

async function readMigrations(config: Knex.Config, limit: ConnectionLimit): Promise<Migrations> {
  const { session, close } = openTenantKnex(config, { searchPath: null, limit })
  const settings = settingsOf(session)
  await close()
  let files: Promise<MigrationFiles> | undefined
  return { settings, files: () => (files ??= listMigrations(settings)) }
}

// The tables of a tenant are in its schema. With one table for all, the second tenant would have nothing to do.
function ownTables(settings: MigrationSettings, schema: string): MigrationSettings {
  const { schema: configured } = settings
  if (configured !== null && configured !== schema) {
    throw invalid(
      `migrations.schemaName: is "${configured}" for a tenant in schema "${schema}"; every tenant needs its own tables, so remove it`,
    )
  }
  return inPlace(settings, { schema, searchPath: [schema] })
}

function listOf(searchPath: Knex.Config['searchPath']): readonly string[] | null {
  if (searchPath === undefined) return null
  return typeof searchPath === 'string' ? [searchPath] : searchPath
}

// Plain values are compared by their content, and functions and sources by their identity.
function keyOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  let isPlain = true
  const content = JSON.stringify(value, (_, each: unknown) => {
    isPlain &&= typeof each !== 'function' && !isSource(each)
    return each
  })
  return isPlain ? content : value
}

function isSource(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'getMigrations' in value
}

function invalid(problem: string): PgvectorMigrationError {
  return new PgvectorMigrationError('INVALID_OPTIONS', { problems: [problem] })
}
