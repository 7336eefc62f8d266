import { askNodes, type NodeAnswer } from '../../database/cluster-nodes.ts'
import type { Session } from '../../database/session.ts'

/** What a node has of pgvector. */
export interface NodeExtension {
  /** The version of the SQL objects; null if the extension is not enabled there. */
  readonly installed: string | null
  /** The versions that the node has files of. */
  readonly available: readonly string[]
}

export type ClusterNode = NodeAnswer<NodeExtension>

/** Reads what every node of the cluster has of pgvector. */
export function readNodes(session: Session): Promise<readonly ClusterNode[]> {
  return askNodes<NodeExtension>(session, nodeSql)
}

// Citus runs it in other sessions, under a path that is not ours.
const nodeSql = `select pg_catalog.json_build_object(
    'installed', (select extversion from pg_catalog.pg_extension where extname operator(pg_catalog.=) 'vector'),
    'available', (
      select coalesce(pg_catalog.json_agg(v.version), '[]'::pg_catalog.json)
      from pg_catalog.pg_available_extension_versions() v where v.name operator(pg_catalog.=) 'vector'
    )
  )::pg_catalog.text`
