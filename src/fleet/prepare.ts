import type { ConnectionLimit } from '../database/connection-limit.ts'
import { isPooled } from '../database/pooled.ts'
import type { Session } from '../database/session.ts'
import { openTenantKnex } from '../database/tenant-knex.ts'
import { ensurePgvector } from '../extension/ensure.ts'
import type { ResolvedTenant } from './resolve.ts'

/** A database that is ready for its tenants. */
export interface PreparedDatabase {
  readonly isPooled: boolean
  /** The schema of the extension; null if the fleet leaves that to the migrations. */
  readonly extensionSchema: string | null
}

/** How databases are prepared. */
export interface Preparation {
  readonly extensionSchema: string | undefined
  /** Whether to enable pgvector in that schema. */
  readonly isEnabling: boolean
  readonly limit: ConnectionLimit
}

/** Prepares the database of a tenant. It is done once per database, by its first tenant. */
export type PrepareDatabase = (tenant: ResolvedTenant) => Promise<PreparedDatabase>

/** Creates the function that prepares databases during a run. */
export function preparing(preparation: Preparation): PrepareDatabase {
  const prepared = new Map<unknown, Promise<PreparedDatabase>>()
  const prepare = async (tenant: ResolvedTenant): Promise<PreparedDatabase> => {
    const { session, close } = openTenantKnex(tenant.config, { searchPath: null, limit: preparation.limit })
    try {
      return { isPooled: await isPooled(session), extensionSchema: await extensionIn(session, preparation) }
    } finally {
      await close()
    }
  }
  return (tenant) => {
    const ready = prepared.get(tenant.database) ?? prepare(tenant)
    prepared.set(tenant.database, ready)
    return ready
  }
}

/** Returns the schema of the extension, after enabling it if that is wanted. */
export async function extensionIn(
  { knex }: Session,
  { extensionSchema, isEnabling }: Preparation,
): Promise<string | null> {
  if (extensionSchema === undefined || !isEnabling) return extensionSchema ?? null
  const log = { schema: extensionSchema }
  return (await ensurePgvector(knex, { schema: extensionSchema, logger: false, log })).schema
}
