import { PgvectorMigrationError } from '../../core/errors.ts'
import { isAtLeast, newest } from '../../pgvector/version.ts'
import type { ClusterNode } from './nodes.ts'

/** What the nodes of a cluster need. */
export type NodesPlan =
  | { readonly action: 'none' }
  /** Every node is to have this version. */
  | { readonly action: 'converge'; readonly version: string }
  | { readonly action: 'refuse'; readonly error: PgvectorMigrationError }

/**
 * Decides which version every node gets: that of the coordinator if it is enough and every node has its files, otherwise the
 * newest that all have. It is a pure function.
 *
 * @param wanted The version to install on the coordinator; null to keep the one it has.
 */
export function assessNodes(nodes: readonly ClusterNode[], { installed, wanted, minimum }: NodeNeeds): NodesPlan {
  const unreachable = nodes.flatMap((each) =>
    each.isReached ? [] : [{ node: each.node, problem: `cannot be reached: ${each.problem}` }],
  )
  if (unreachable.length > 0) return refuse(unreachable)
  const reached = nodes.flatMap((each) => (each.isReached ? [each] : []))
  if (wanted === null && installed !== null && reached.every(({ state }) => state.installed === installed)) {
    return { action: 'none' }
  }
  const without = reached.filter(({ state }) => state.available.length === 0)
  if (without.length > 0) return refuse(without.map(({ node }) => ({ node, problem: 'has no files of pgvector' })))
  const preferred = wanted ?? installed
  const common = (reached[0]?.state.available ?? []).filter((version) =>
    reached.every(({ state }) => state.available.includes(version)),
  )
  // A version below one that is enabled would be a downgrade, which no extension has a path for.
  const enabled = [installed, ...reached.map(({ state }) => state.installed)].filter((version) => version !== null)
  const floor = newest([minimum, ...enabled]) ?? minimum
  const version =
    preferred !== null && common.includes(preferred) && isAtLeast(preferred, floor) ? preferred : newest(common)
  if (version !== null && isAtLeast(version, floor)) return { action: 'converge', version }
  const needed = preferred ?? floor
  return refuse(
    reached
      .filter(({ state }) => !state.available.includes(needed))
      .map(({ node, state }) => ({
        node,
        problem: `has the files of pgvector ${newest(state.available) ?? 'an unknown version'}, and not those of ${needed}`,
      })),
  )
}

/** What a caller needs of the nodes. */
export interface NodeNeeds {
  /** The version on the coordinator, as this session sees it. */
  readonly installed: string | null
  readonly wanted: string | null
  readonly minimum: string
}

function refuse(problems: readonly { readonly node: string; readonly problem: string }[]): NodesPlan {
  return { action: 'refuse', error: new PgvectorMigrationError('CITUS_NODES_NOT_READY', { problems }) }
}
