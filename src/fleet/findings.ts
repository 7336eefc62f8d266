import { diagnose } from '../doctor/diagnose.ts'
import type { Finding } from '../doctor/finding.ts'
import { askTenants, readInPlace } from './ask-tenants.ts'
import type { Opening } from './open-tenant.ts'
import type { FailedTenant } from './report.ts'
import type { ResolvedTenant, UnresolvedTenant } from './resolve.ts'

/** What was found in the tenants of a fleet. */
export interface FleetFindings {
  /** Equal findings once, each with the tenants that have it. */
  readonly findings: readonly (Finding & { readonly tenants: readonly string[] })[]
  /** Tenants that could not be checked. */
  readonly failed: readonly FailedTenant[]
}

/** Checks every tenant: its own tables and indexes, and its database. */
export async function diagnoseTenants(
  tenants: readonly (ResolvedTenant | UnresolvedTenant)[],
  opening: Opening,
  minVersion: string | undefined,
  concurrency: number,
): Promise<FleetFindings> {
  const { extensionSchema } = opening
  const { answers, failed } = await askTenants(tenants, opening, concurrency, (session, settings, { schema }) => {
    const own = schema === null ? {} : { schema, schemaName: schema }
    return readInPlace(session, settings, ({ knex }) => diagnose(knex, { minVersion, extensionSchema, ...own }))
  })
  const findings = new Map<string, Finding & { tenants: string[] }>()
  for (const { tenant, answer } of answers) {
    for (const finding of answer) {
      const key = JSON.stringify(finding)
      const known = findings.get(key)
      if (known === undefined) findings.set(key, { ...finding, tenants: [tenant.name] })
      else known.tenants.push(tenant.name)
    }
  }
  return { findings: [...findings.values()], failed }
}
