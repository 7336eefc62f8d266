import { PgvectorMigrationError } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import { topologyOf } from '../../database/topology.ts'
import { readNodes } from './nodes.ts'

/** Refuses a cluster with a node that does not have this version; does nothing on a worker, which cannot see the others. */
export async function verifyNodes(session: Session, version: string): Promise<void> {
  if ((await topologyOf(session)).kind !== 'coordinator') return
  const problems = (await readNodes(session)).flatMap((each) => {
    if (!each.isReached) return [{ node: each.node, problem: `cannot be reached: ${each.problem}` }]
    const { installed } = each.state
    return installed === version
      ? []
      : [
          {
            node: each.node,
            problem: `has ${installed === null ? 'no pgvector' : `pgvector ${installed}`} instead of ${version}`,
          },
        ]
  })
  if (problems.length > 0) throw new PgvectorMigrationError('CITUS_NODES_NOT_READY', { problems })
}
