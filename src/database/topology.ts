import { PgvectorMigrationError } from '../core/errors.ts'
import type { Session } from './session.ts'

/** Where a session is: on a server of its own, or on a node of a Citus cluster. */
export type Topology =
  | { readonly kind: 'single' }
  | { readonly kind: 'coordinator' }
  /** With host and port of the coordinator, if the worker knows them. */
  | { readonly kind: 'worker'; readonly coordinator: string | null }

/** SQL: whether this database is a node of a Citus cluster, for a query that is sent anyway. */
export const isCitusSql = `pg_catalog.to_regclass('pg_catalog.pg_dist_local_group') is not null`

// The key is the configuration, which a Knex instance shares with its transactions.
const known = new WeakMap<object, Topology>()

/** Remembers that a database is no node of a cluster, from a query that was sent anyway. */
export function rememberSingle(session: Session): void {
  known.set(session.identity, { kind: 'single' })
}

/** Detects the topology, once for each Knex instance. */
export async function topologyOf(session: Session): Promise<Topology> {
  const before = known.get(session.identity)
  if (before !== undefined) return before
  const found = await detect(session)
  known.set(session.identity, found)
  return found
}

/** Refuses a change of schemas on a worker of a cluster; for a database that is known to be a node of one. */
export async function assertCoordinator(session: Session): Promise<void> {
  const topology = await topologyOf(session)
  if (topology.kind !== 'worker') return
  throw new PgvectorMigrationError('CITUS_WORKER', { coordinator: topology.coordinator })
}

// citus_is_coordinator() is false on a coordinator without registered nodes, so the group decides.
async function detect(session: Session): Promise<Topology> {
  if (!(await session.ask<boolean>(`select to_json(${isCitusSql}) as state`))) return { kind: 'single' }
  const { isCoordinator, coordinator } = await session.ask<{ isCoordinator: boolean; coordinator: string | null }>(
    `select json_build_object(
      'isCoordinator', (select coalesce(bool_and(groupid = 0), true) from pg_catalog.pg_dist_local_group),
      'coordinator', (
        select format('%s:%s', nodename, nodeport) from pg_catalog.pg_dist_node
        where groupid = 0 and noderole::text = 'primary' limit 1
      )
    ) as state`,
  )
  return isCoordinator ? { kind: 'coordinator' } : { kind: 'worker', coordinator }
}
