import { PgvectorMigrationError } from '../core/errors.ts'
import type { ConnectionLimit } from '../database/connection-limit.ts'
import { notedError } from '../migrator/run/notes.ts'
import type { ResolvedTenant, UnresolvedTenant } from './resolve.ts'
import { scanDatabase, type Scan, type TenantState, type UnreadableTenant } from './scan.ts'

/** The migrations of one tenant. */
export interface TenantStatus {
  readonly tenant: string
  /**
   * `current`: nothing is pending. `failed`: its last run failed. `running`: a run has begun and not ended; it is at work,
   * or was killed. `unreadable`: `reason` says why its tables could not be read.
   */
  readonly state: 'current' | 'pending' | 'failed' | 'running' | 'unreadable'
  /** How many migrations were applied. */
  readonly applied: number
  readonly pending: readonly string[]
  /** Migrations that were applied, but whose files do not exist. */
  readonly missing: readonly string[]
  /** Why the last run failed, or why nothing can be read. */
  readonly reason: string | null
}

/** Reads the tables of tenants, one connection for each database, and several databases at once. */
export async function scanTenants(
  tenants: readonly (ResolvedTenant | UnresolvedTenant)[],
  limit: ConnectionLimit,
  concurrency: number,
): Promise<Scan> {
  const databases = new Map<unknown, ResolvedTenant[]>()
  const states = new Map<string, TenantState | UnreadableTenant>()
  for (const tenant of tenants) {
    if ('problem' in tenant) states.set(tenant.name, { problem: tenant.problem })
    else databases.set(tenant.database, [...(databases.get(tenant.database) ?? []), tenant])
  }
  const queue = [...databases.values()]
  const worker = async (): Promise<void> => {
    for (let group = queue.shift(); group !== undefined; group = queue.shift()) {
      for (const [name, state] of await scanDatabase(group, limit)) states.set(name, state)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  return states
}

/** Returns the status of a tenant from what was read. */
export async function statusOfTenant(tenant: ResolvedTenant | UnresolvedTenant, scan: Scan): Promise<TenantStatus> {
  const { name } = tenant
  const state = scan.get(name) ?? { problem: new PgvectorMigrationError('SCHEMA_NOT_FOUND', { schema: name }) }
  if ('problem' in tenant) return unreadable(name, tenant.problem)
  if ('problem' in state) return unreadable(name, state.problem)
  const files = await tenant.files().catch((problem: unknown) => ({ problem }))
  if ('problem' in files) return unreadable(name, files.problem)
  const { run } = state
  const applied = new Set(state.applied.map((row) => row.name))
  const known = new Set(files.names)
  const pending = files.names.filter((each) => !applied.has(each))
  const missing = files.allowsMissing ? [] : [...applied].filter((each) => !known.has(each))
  const counted = { tenant: name, applied: applied.size, pending, missing }
  if (run?.isEnded === false) return { ...counted, state: 'running', reason: null }
  if (run !== null && run.outcome !== 'succeeded' && pending.length > 0)
    return { ...counted, state: 'failed', reason: run.reason }
  return { ...counted, state: pending.length > 0 ? 'pending' : 'current', reason: null }
}

function unreadable(tenant: string, problem: unknown): TenantStatus {
  return { tenant, state: 'unreadable', applied: 0, pending: [], missing: [], reason: notedError(problem).message }
}
