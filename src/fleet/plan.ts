import type { UpSelection } from '../migrator/select.ts'
import { plan } from '../migrator/plan/plan.ts'
import type { PlanResult } from '../migrator/plan/result.ts'
import { askTenants } from './ask-tenants.ts'
import type { Opening } from './open-tenant.ts'
import type { FailedTenant } from './report.ts'
import type { ResolvedTenant, UnresolvedTenant } from './resolve.ts'
import type { Scan } from './scan.ts'

/** The SQL of pending migrations in the tenants of a fleet. */
export interface FleetPlan {
  /** One plan for all tenants of a database that have applied the same migrations, made for the first of them. */
  readonly plans: readonly { readonly tenants: readonly string[]; readonly plan: PlanResult }[]
  /** Tenants with nothing pending. */
  readonly current: readonly string[]
  /** Tenants whose plan failed, or that could not be read. */
  readonly failed: readonly FailedTenant[]
}

/** Plans the pending migrations, once for tenants in the same state. */
export async function planTenants(
  tenants: readonly (ResolvedTenant | UnresolvedTenant)[],
  scan: Scan,
  opening: Opening,
  selection: UpSelection,
): Promise<FleetPlan> {
  const alike = new Map<unknown, (ResolvedTenant | UnresolvedTenant)[]>()
  for (const tenant of tenants) {
    const key = await stateKey(tenant, scan)
    alike.set(key, [...(alike.get(key) ?? []), tenant])
  }
  const groups = [...alike.values()]
  const first = groups.flatMap(([tenant]) => tenant ?? [])
  // Each has an embedded database of its own, so they do not run at once.
  const { answers, failed } = await askTenants(first, opening, 1, (session, settings) =>
    plan(session, settings, selection),
  )
  const planned = answers.map(({ tenant, answer }) => {
    const group = groups.find(([each]) => each === tenant) ?? []
    return { tenants: group.map(({ name }) => name), plan: answer }
  })
  const isPending = ({ plan: { migrations } }: (typeof planned)[number]): boolean => migrations.length > 0
  return {
    plans: planned.filter(isPending),
    current: planned.filter((each) => !isPending(each)).flatMap(({ tenants: names }) => names),
    failed: failed.flatMap((failure) => {
      const group = groups.find(([each]) => each?.name === failure.tenant) ?? []
      return group.map(({ name }) => ({ ...failure, tenant: name }))
    }),
  }
}

async function stateKey(tenant: ResolvedTenant | UnresolvedTenant, scan: Scan): Promise<unknown> {
  const state = scan.get(tenant.name)
  if ('problem' in tenant || state === undefined || 'problem' in state) return tenant
  const files = await tenant.files().catch(() => null)
  if (files === null) return tenant
  return JSON.stringify([tenant.database, files.names, state.applied.map(({ name }) => name)])
}
