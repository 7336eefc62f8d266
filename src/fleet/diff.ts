import { diffVectors, type DeclaredVectors } from '../diff/diff.ts'
import type { VectorDifference } from '../diff/difference.ts'
import { askTenants, readInPlace } from './ask-tenants.ts'
import type { Opening } from './open-tenant.ts'
import type { FailedTenant } from './report.ts'
import type { ResolvedTenant, UnresolvedTenant } from './resolve.ts'

/** How tenants differ from what is declared. */
export interface FleetDifferences {
  /** Tenants that differ, each with its differences. */
  readonly tenants: readonly { readonly tenant: string; readonly differences: readonly VectorDifference[] }[]
  /** Tenants that are as declared. */
  readonly equal: readonly string[]
  /** Tenants that could not be compared. */
  readonly failed: readonly FailedTenant[]
}

/** Compares every tenant with the declaration. Names without a schema mean the schema of the tenant. */
export async function diffTenants(
  tenants: readonly (ResolvedTenant | UnresolvedTenant)[],
  opening: Opening,
  declared: DeclaredVectors,
  concurrency: number,
): Promise<FleetDifferences> {
  const { answers, failed } = await askTenants(tenants, opening, concurrency, (session, settings, { schema }) =>
    readInPlace(session, settings, ({ knex }) => diffVectors(knex, declared, { schema: schema ?? undefined })),
  )
  const differing = answers.filter(({ answer }) => answer.length > 0)
  return {
    tenants: differing.map(({ tenant: { name }, answer }) => ({ tenant: name, differences: answer })),
    equal: answers.filter(({ answer }) => answer.length === 0).map(({ tenant: { name } }) => name),
    failed,
  }
}
