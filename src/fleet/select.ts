import { PgvectorMigrationError } from '../core/errors.ts'
import type { ConnectionLimit } from '../database/connection-limit.ts'
import { selectUp, type UpSelection } from '../migrator/select.ts'
import type { ResolvedTenant, UnresolvedTenant } from './resolve.ts'
import type { Scan } from './scan.ts'
import { scanTenants, statusOfTenant } from './status.ts'
import type { Tenant } from './tenants.ts'

type AnyTenant = ResolvedTenant | UnresolvedTenant

/**
 * Returns the tenants with these names, in the order of the fleet; all of them by default.
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS if there is no tenant of such a name.
 */
export function chosenTenants(tenants: readonly Tenant[], only: readonly string[] | undefined): readonly Tenant[] {
  if (only === undefined) return tenants
  const known = new Set(tenants.map(({ name }) => name))
  const problems = only
    .filter((name) => !known.has(name))
    .map((name) => `only: "${name}" is not a tenant of this fleet`)
  if (problems.length > 0) throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
  const chosen = new Set(only)
  return tenants.filter(({ name }) => chosen.has(name))
}

/** What decides about the tenants of a run. */
export interface TenantSelection {
  readonly selection: Pick<UpSelection, 'to' | 'skip'>
  readonly isRetry: boolean
  readonly limit: ConnectionLimit
  readonly concurrency: number
}

/**
 * Finds the tenants with something to do, without a connection for each. A tenant with its own database is not read
 * first, except for a retry: its run reads the same.
 *
 * @throws {PgvectorMigrationError} the error of a migration that `to` or `skip` do not find
 */
export async function tenantsToRun(
  tenants: readonly AnyTenant[],
  { selection, isRetry, limit, concurrency }: TenantSelection,
): Promise<{ readonly wanted: readonly AnyTenant[]; readonly skipped: readonly string[] }> {
  const read = tenants.filter((tenant) => isRetry || ('schema' in tenant && tenant.schema !== null))
  const scan = await scanTenants(read, limit, concurrency)
  const wanted: AnyTenant[] = []
  const skipped: string[] = []
  for (const tenant of tenants) {
    if (isRetry) {
      const { state } = await statusOfTenant(tenant, scan)
      if (state === 'failed' || state === 'running' || state === 'unreadable') wanted.push(tenant)
    } else if (await hasNothingToDo(tenant, scan, selection)) skipped.push(tenant.name)
    else wanted.push(tenant)
  }
  return { wanted, skipped }
}

// What is in doubt is left to the run, which explains it.
async function hasNothingToDo(
  tenant: AnyTenant,
  scan: Scan,
  selection: TenantSelection['selection'],
): Promise<boolean> {
  const state = scan.get(tenant.name)
  if ('problem' in tenant || state === undefined || 'problem' in state) return false
  const { missing } = await statusOfTenant(tenant, scan)
  if (missing.length > 0 || state.run?.isEnded === false) return false
  const files = await tenant.files().catch(() => null)
  return files !== null && selectUp(files.names, state.applied, selection).length === 0
}
