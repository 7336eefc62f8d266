import { literal } from '../core/sql.ts'
import { connectionKey } from '../database/connection-key.ts'
import { keepsStateSql } from '../database/leftovers.ts'
import type { SharedConnections } from '../database/shared-connections.ts'
import type { Sharing } from '../database/tenant-knex.ts'
import type { Place } from '../migrator/place.ts'
import type { ResolvedTenant } from './resolve.ts'

/** Returns with which tenants this one may share connections: those whose connections would be equal when they are new. */
export function sharingOf(
  { database, config, settings }: ResolvedTenant,
  { searchPath }: Place,
  connections: SharedConnections | null,
): Sharing | undefined {
  if (connections === null) return undefined
  const shared = searchPath.slice(1).map(literal)
  const isTenant = `exists (
    select from pg_class where relnamespace = n.oid and relname = ${literal(settings.names.migrations)}
  )${shared.length === 0 ? '' : ` and n.nspname not in (${shared.join(', ')})`}`
  return { connections, settings: connectionKey(config, database), keepsState: keepsStateSql(isTenant) }
}
