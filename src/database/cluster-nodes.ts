import { literal } from '../core/sql.ts'
import type { Session } from './session.ts'

/** What one node of a Citus cluster answered. */
export type NodeAnswer<State> = { readonly node: string; readonly isCoordinator: boolean } & (
  | { readonly isReached: true; readonly state: State }
  /** With the reason, as Citus reports it. */
  | { readonly isReached: false; readonly problem: string }
)

/**
 * Asks every active node of a Citus cluster a query for one json value. Citus asks over other connections, so it reads
 * committed state only. A node that does not answer is part of the result.
 */
export async function askNodes<State>(session: Session, query: string): Promise<readonly NodeAnswer<State>[]> {
  const rows = await session.ask<readonly Row[]>(`select (
    select coalesce(json_agg(json_build_object('host', n.nodename, 'port', n.nodeport,
      'isCoordinator', coalesce(n.groupid, 0) = 0, 'success', r.success, 'result', r.result) order by r.nodeid), '[]')
    from pg_catalog.run_command_on_all_nodes(${literal(query)}) as r
    left join pg_catalog.pg_dist_node n on n.nodeid = r.nodeid
  ) as state`)
  return rows.map(({ host, port, isCoordinator, success, result }) => {
    // Without registered nodes the coordinator is alone, and nameless.
    const at = { node: host === null ? 'the coordinator' : `${host}:${port}`, isCoordinator }
    return success
      ? { ...at, isReached: true, state: JSON.parse(result ?? 'null') as State }
      : { ...at, isReached: false, problem: result ?? 'no answer' }
  })
}

interface Row {
  readonly host: string | null
  readonly port: number | null
  readonly isCoordinator: boolean
  readonly success: boolean
  readonly result: string | null
}
