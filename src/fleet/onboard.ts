import { identifier, literal } from '../core/sql.ts'
import type { ConnectionLimit } from '../database/connection-limit.ts'
import { openTenantKnex } from '../database/tenant-knex.ts'
import type { ResolvedTenant, UnresolvedTenant } from './resolve.ts'

/** Creates the schema of a new tenant if it does not exist, and returns the tenant, or why that failed. */
export async function withSchema(
  tenant: ResolvedTenant | UnresolvedTenant,
  limit: ConnectionLimit,
): Promise<ResolvedTenant | UnresolvedTenant> {
  if ('problem' in tenant || tenant.schema === null) return tenant
  const { name, schema, config } = tenant
  const { session, close } = openTenantKnex(config, { searchPath: null, limit })
  try {
    const exists = await session.ask<boolean>(
      `select to_json(exists (select from pg_catalog.pg_namespace where nspname = ${literal(schema)})) as state`,
    )
    if (!exists) await session.send(`create schema ${identifier(schema)}`)
    return tenant
  } catch (problem) {
    return { name, problem }
  } finally {
    await close()
  }
}
