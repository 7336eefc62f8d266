import { PgvectorMigrationError } from '../core/errors.ts'
import { literal } from '../core/sql.ts'
import type { ConnectionLimit } from '../database/connection-limit.ts'
import type { Session } from '../database/session.ts'
import { isObviouslyTrustedSql } from '../database/table-trust.ts'
import { openTenantKnex } from '../database/tenant-knex.ts'
import { assertDecisive } from '../migrator/present-tables.ts'
import { appliedSql, readTracking, type AppliedMigration } from '../migrator/tracking.ts'
import type { ResolvedTenant } from './resolve.ts'

/** What a tenant's own tables say. */
export interface TenantState {
  readonly applied: readonly AppliedMigration[]
  /** The last recorded run; null if there is none. */
  readonly run: { readonly outcome: string | null; readonly isEnded: boolean; readonly reason: string | null } | null
}

/** A tenant whose tables could not be read. */
export interface UnreadableTenant {
  readonly problem: unknown
}

/** The states of tenants, by name. */
export type Scan = ReadonlyMap<string, TenantState | UnreadableTenant>

// A statement locks every table that it reads, and the server has a limited number of locks.
const BATCH = 100

/**
 * Reads the states of tenants that are schemas of one database: one query of the catalogs, and then one for every 100
 * tenants. A table that another role may control, or that cannot be read, is examined by itself.
 */
export async function scanDatabase(tenants: readonly ResolvedTenant[], limit: ConnectionLimit): Promise<Scan> {
  const [first] = tenants
  if (first === undefined) return new Map()
  const { session, close } = openTenantKnex(first.config, { searchPath: searchPathOf(tenants), limit })
  try {
    return await scanSchemas(session, tenants)
  } catch (problem) {
    return new Map(tenants.map(({ name }) => [name, { problem }]))
  } finally {
    await close()
  }
}

// The tables of a schema are named with it. A path set for a session would reach other clients behind a pooler.
function searchPathOf(tenants: readonly ResolvedTenant[]): readonly string[] | null {
  return tenants.find(({ schema }) => schema === null)?.searchPath ?? null
}

async function scanSchemas(session: Session, tenants: readonly ResolvedTenant[]): Promise<Scan> {
  const states = new Map<string, TenantState | UnreadableTenant>()
  const inOneQuery: Found[] = []
  const alone: ResolvedTenant[] = tenants.filter(({ schema }) => schema === null)
  const placed = tenants.filter(({ schema }) => schema !== null)
  const tables = placed.length === 0 ? [] : await session.ask<readonly FoundTables[]>(tablesSql(placed))
  const bySchema = new Map(tables.map((each) => [each.schema, each]))
  for (const tenant of placed) {
    const found = bySchema.get(tenant.schema ?? '')
    if (found === undefined) {
      states.set(tenant.name, { problem: new PgvectorMigrationError('SCHEMA_NOT_FOUND', { schema: tenant.schema }) })
    } else if (found.migrations === null && found.runs === null) states.set(tenant.name, { applied: [], run: null })
    else if (isPlain(found)) inOneQuery.push({ tenant, ...found })
    else alone.push(tenant)
  }
  for (let start = 0; start < inOneQuery.length; start += BATCH) {
    const batch = inOneQuery.slice(start, start + BATCH)
    const read = await session.askAsCaller<readonly TenantState[]>(statesSql(batch)).catch(() => null)
    if (read === null) alone.push(...batch.map(({ tenant }) => tenant))
    else for (const [place, { tenant }] of batch.entries()) states.set(tenant.name, read[place] ?? NOTHING)
  }
  for (const tenant of alone) states.set(tenant.name, await readAlone(session, tenant))
  return states
}

const NOTHING: TenantState = { applied: [], run: null }

interface FoundTables {
  readonly schema: string
  readonly migrations: FoundTable | null
  readonly runs: FoundTable | null
}

interface FoundTable {
  readonly isTrusted: boolean
  /** Whether it has the column for notes. */
  readonly hasNotes: boolean
}

interface Found extends FoundTables {
  readonly tenant: ResolvedTenant
}

function isPlain({ migrations, runs }: FoundTables): boolean {
  return migrations?.isTrusted !== false && runs?.isTrusted !== false
}

function tablesSql(tenants: readonly ResolvedTenant[]): string {
  const wanted = tenants.map(
    ({ schema, settings: { names } }) =>
      `(${literal(schema ?? '')}, ${literal(names.migrations)}, ${literal(names.runs)})`,
  )
  return `select coalesce(json_agg(json_build_object('schema', n.nspname, 'migrations', ${tableSql('migrations')},
      'runs', ${tableSql('runs')})), '[]') as state
    from (values ${wanted.join(', ')}) as wanted (schema, migrations, runs)
    join pg_catalog.pg_namespace n on n.nspname = wanted.schema`
}

function tableSql(name: string): string {
  return `(
    select json_build_object('isTrusted', ${isObviouslyTrustedSql}, 'hasNotes', exists (
      select from pg_catalog.pg_attribute where attrelid = c.oid and attname = 'notes'))
    from pg_catalog.pg_class c where c.relnamespace = n.oid and c.relname = wanted.${name}
  )`
}

function statesSql(batch: readonly Found[]): string {
  const each = batch.map(({ tenant: { settings }, migrations, runs }, place) => {
    const applied = migrations === null ? `'[]'` : `(${appliedSql(settings.tables)})`
    const run = runs === null ? 'null' : lastRunSql(settings.tables.runs, runs.hasNotes)
    return `select ${place} as place, ${applied}::pg_catalog.json as applied, ${run}::pg_catalog.json as run`
  })
  return `select pg_catalog.json_agg(pg_catalog.json_build_object('applied', applied, 'run', run) order by place) as state
    from (${each.join('\nunion all\n')}) as states`
}

function lastRunSql(runs: string, hasNotes: boolean): string {
  const reason = hasNotes ? `notes operator(pg_catalog.#>>) '{error,message}'` : 'null'
  return `(
    select pg_catalog.json_build_object('outcome', outcome, 'isEnded', ended_at is not null, 'reason', ${reason})
    from ${runs} order by id desc limit 1
  )`
}

async function readAlone(session: Session, { settings }: ResolvedTenant): Promise<TenantState | UnreadableTenant> {
  const { tables } = settings
  try {
    const tracking = await readTracking(session, tables)
    assertDecisive(tracking)
    const run = tracking.hasRuns
      ? await session.askAsCaller<TenantState['run']>(`select ${lastRunSql(tables.runs, tracking.hasNotes)} as state`)
      : null
    return { applied: tracking.applied, run }
  } catch (problem) {
    return { problem }
  }
}
