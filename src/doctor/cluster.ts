import type { Session } from '../database/session.ts'
import { topologyOf, type Topology } from '../database/topology.ts'
import { assessNodes } from '../extension/cluster/assess-nodes.ts'
import { readNodes, type ClusterNode } from '../extension/cluster/nodes.ts'
import type { PgvectorState } from '../extension/state.ts'
import { findingsOf, type Finding } from './finding.ts'

const { ok, warning, error: failure } = findingsOf('extension')

/** Where the session is, and what each node of its cluster has; no nodes on a worker. */
export interface Cluster {
  readonly topology: Topology
  readonly nodes: readonly ClusterNode[]
}

export async function readCluster(session: Session): Promise<Cluster> {
  const topology = await topologyOf(session)
  return { topology, nodes: topology.kind === 'coordinator' ? await readNodes(session) : [] }
}

/** Reports nodes of a Citus cluster that lack pgvector or have another version of it. */
export function clusterFindings(
  { topology, nodes }: Cluster,
  { installed }: Pick<PgvectorState, 'installed'>,
): Finding[] {
  if (topology.kind === 'worker') {
    const { coordinator } = topology
    return [
      warning(
        'this server is a worker of a Citus cluster: migrations and most checks belong on the coordinator',
        `Connect to the coordinator${coordinator === null ? '.' : `: ${coordinator}`}`,
      ),
    ]
  }
  if (installed === null || topology.kind === 'single') return []
  const { version } = installed
  const different = nodes.flatMap((each) => {
    if (!each.isReached) return [failure(`the Citus node ${each.node} cannot be reached: ${each.problem}`, REACH)]
    if (each.state.installed === version) return []
    return [
      failure(
        `the Citus node ${each.node} has ${each.state.installed ?? 'no'} pgvector instead of ${version}`,
        next(nodes, version),
      ),
    ]
  })
  if (different.length > 0) return different
  return [ok(`every node of the Citus cluster has pgvector ${version}: ${nodes.map(({ node }) => node).join(', ')}`)]
}

const REACH = 'Start the node, or remove it from the cluster: no schema can be changed until then.'

function next(nodes: readonly ClusterNode[], version: string): string {
  const plan = assessNodes(nodes, { installed: version, wanted: null, minimum: version })
  return plan.action === 'refuse'
    ? plan.error.hint
    : 'On the coordinator: await ensurePgvector(knex), as the owner of the extension.'
}
