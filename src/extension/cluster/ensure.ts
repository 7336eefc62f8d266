import type { ParsedEnsureOptions } from '../../core/options.ts'
import { identifier, literal } from '../../core/sql.ts'
import type { Session } from '../../database/session.ts'
import { assertCoordinator, topologyOf } from '../../database/topology.ts'
import { satisfies } from '../assess.ts'
import { carryOut, look } from '../carry-out.ts'
import type { Change } from '../execute.ts'
import { lockAndLook } from '../lock.ts'
import { resultOf, type EnsureResult } from '../result.ts'
import type { Glance } from '../state.ts'
import { assessNodes } from './assess-nodes.ts'
import { readNodes, type ClusterNode } from './nodes.ts'
import { verifyNodes } from './verify-nodes.ts'

/**
 * Makes sure of pgvector on every node of a Citus cluster. If all of them have the version of the coordinator, it sends no
 * statement that changes anything.
 */
export async function ensureOnCluster(
  session: Session,
  needs: ParsedEnsureOptions,
  seen: Glance,
): Promise<EnsureResult> {
  const isSatisfied = satisfies(seen, needs)
  if (!isSatisfied) await assertCoordinator(session)
  if (isSatisfied) {
    if ((await topologyOf(session)).kind === 'worker') return resultOf(seen, needs, 'unchanged', [OTHER_NODES])
    const nodes = await readNodes(session)
    if (session.isInTransaction && !isCommitted(nodes, seen)) return resultOf(seen, needs, 'unchanged', [UNCOMMITTED])
    const plan = assessNodes(nodes, { installed: versionOf(seen), wanted: null, minimum: needs.minVersion })
    if (plan.action === 'none') return resultOf(seen, needs, 'unchanged')
    if (plan.action === 'refuse') throw plan.error
  }
  const result = await session.transaction((trx) => converge(trx, needs))
  // Citus asks the nodes over other connections, which see it after the commit.
  if (!session.isInTransaction) await verifyNodes(session, result.version)
  return result
}

const OTHER_NODES =
  'This server is a worker of a Citus cluster. Whether the other nodes have pgvector was not checked: run this on the coordinator.'
const UNCOMMITTED =
  'The extension was changed in this transaction, so the other nodes of the Citus cluster were not checked. Run ensurePgvector again after the commit.'

function versionOf({ installed }: Glance): string | null {
  return installed?.version ?? null
}

function isCommitted(nodes: readonly ClusterNode[], seen: Glance): boolean {
  return nodes.some((each) => each.isCoordinator && each.isReached && each.state.installed === versionOf(seen))
}

async function converge(trx: Session, needs: ParsedEnsureOptions): Promise<EnsureResult> {
  await lockAndLook(trx, needs.wait, () => false)
  const { state, plan } = await look(trx, needs)
  const wanted = plan.action === 'none' ? null : (plan.version ?? state.available?.defaultVersion ?? null)
  const decided = assessNodes(await readNodes(trx), {
    installed: versionOf(state),
    wanted,
    minimum: needs.minVersion,
  })
  if (decided.action === 'refuse') throw decided.error
  if (decided.action === 'none') return resultOf(state, needs, 'unchanged')
  const { version } = decided
  const change: Change = plan.action === 'create' ? { ...plan, version } : { action: 'update', version }
  return carryOut(
    trx,
    needs,
    state,
    change,
    statementsFor(change, state.installed?.schema ?? state.target.schema ?? ''),
  )
}

/**
 * First on the coordinator alone, then on the workers too. ALTER fails where the extension is missing, CREATE leaves an old
 * version alone, and Citus sends both to the workers even if the coordinator has nothing to do: together they repair every
 * difference between nodes.
 */
function statementsFor(change: Change, schema: string): string[] {
  const version = literal(change.version ?? '')
  const pair = [
    `create extension if not exists vector with schema ${identifier(schema)} version ${version}`,
    `alter extension vector update to ${version}`,
  ]
  return [
    ...(change.action === 'create' && change.createSchema ? [`create schema if not exists ${identifier(schema)}`] : []),
    `set local citus.multi_shard_modify_mode to 'sequential'`,
    `set local citus.enable_ddl_propagation to off`,
    ...pair,
    `set local citus.enable_ddl_propagation to on`,
    ...pair,
  ]
}
