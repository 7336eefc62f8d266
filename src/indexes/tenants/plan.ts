import { parseOptions } from '../../core/parse-options.ts'
import { identifier, qualified } from '../../core/sql.ts'
import { type Database, sessionOf } from '../../database/session.ts'
import { decideTenants, type SeenTenant } from './decide.ts'
import { readTenants, type SeenTenants } from './look.ts'
import {
  planTenantOptions,
  type PlanTenantIndexesOptions,
  type TenantIndex,
  type TenantIndexesPlan,
} from './options.ts'
import { assertTenantRule, tenantIndex, type TenantRule } from './rule.ts'

/**
 * Returns what {@link ensureTenantIndexes} would do. It counts the tenants and only reads.
 *
 * @example const { build, drop } = await planTenantIndexes(knex, byTenant)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, RELATION_NOT_FOUND, TENANT_INDEXES_NOT_POSSIBLE, INDEX_BUILD_FAILED
 * if the condition of the index fails, or UNSUPPORTED_DATABASE.
 */
export async function planTenantIndexes(
  db: Database,
  rule: TenantRule,
  options: PlanTenantIndexesOptions = {},
): Promise<TenantIndexesPlan> {
  assertTenantRule(rule)
  const { log } = parseOptions(planTenantOptions, options)
  return planFrom(rule, await readTenants(sessionOf(db), rule, log))
}

/** Decides what to do about the tenants that were read. */
export function planFrom(rule: TenantRule, seen: SeenTenants): TenantIndexesPlan {
  const { build, drop, keep } = decideTenants(rule, seen.tenants)
  const all = (tenants: readonly SeenTenant[]): TenantIndex[] => tenants.map((each) => describe(rule, each))
  return { build: all(build), drop: all(drop), keep: all(keep), warnings: warningsOf(seen) }
}

/** Describes the index of a tenant that exists or will be built. */
export function describe(rule: TenantRule, { tenant, rows, index }: SeenTenant): TenantIndex {
  return { tenant, index: index?.name ?? tenantIndex(rule, tenant).name, rows }
}

/** Warns about indexes that are not recognised as ours. */
export function warningsOf({ unexplained }: SeenTenants): string[] {
  return unexplained.map(
    ({ schema, name }) =>
      `Index ${identifier(name)} has the name of a tenant's index, but the migration log does not show that it was built ` +
      `with this definition, so it was kept. To drop it: DROP INDEX CONCURRENTLY ${qualified(schema, name)};`,
  )
}
