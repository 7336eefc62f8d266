import { identifier, qualified } from '../../core/sql.ts'
import { isRace } from '../../database/sqlstate.ts'
import { sendWithLockRetry } from '../../database/lock-retry.ts'
import { dropAfterwards } from './afterwards.ts'
import { sendConcurrently } from './concurrently.ts'
import { isSharedMemoryFull, workError } from './errors.ts'
import type { BuildJob } from './job.ts'
import { noteIndex } from './note.ts'
import type { Session } from '../../database/session.ts'
import { isEqual } from '../decide/equal.ts'
import type { ExistingIndex, IndexFacts } from '../look/facts.ts'
import type { WaitsFor } from '../look/open-transactions.ts'
import { readCatalogFacts } from '../look/read-facts.ts'
import type { PlannedBuild } from '../decide/plan.ts'
import { indexDefinition, type VectorIndex } from '../vector-index.ts'
import { unwatched, type Outcome } from './watch.ts'

/** How an attempt ended that did not fail. With `again`, look again, because something has to be done differently. */
export type Attempted = 'built' | 'again' | 'again without workers'

/** Drops what an interrupted build left behind, and builds the index. */
export async function createIndex(
  job: BuildJob,
  index: VectorIndex,
  plan: PlannedBuild,
  facts: IndexFacts,
): Promise<Attempted> {
  const { session, needs, report } = job
  const { table } = plan
  const started = Date.now()
  for (const warning of plan.warnings) report.warn(warning)
  if (plan.settings.leavesProcessor) job.logger.info(leftToOthers(plan, facts))
  return session.withSettings(sessionSettings(plan, facts, needs.lockTimeout), async () => {
    for (const leftover of plan.leftovers) await dropLeftover(job, index, plan, leftover)
    if (plan.rebuilds !== null) job.logger.info(partRebuilt(plan.rebuilds))
    const statement = plan.rebuilds === null ? createSql(index, plan, facts) : rebuildSql(plan.rebuilds, plan)
    const outcome = await sendBuild(job, plan, statement, () => note(session, job, index, plan, 'index begun'))
    if ('result' in outcome) return 'built'
    const { error, stopped } = outcome
    if (stopped === null && isRace(error)) {
      // Another session has created an index of this name, which must not be logged as ours.
      await note(session, job, index, plan, 'index dropped')
      return 'again'
    }
    if (job.state.hasBegun) await cleanUp(job, index, plan)
    if (stopped === null && isSharedMemoryFull(error) && plan.settings.workers > 0) {
      report.warn(
        `Not enough shared memory for a parallel build, so a single process builds ${identifier(index.name)}. ` +
          'For a faster build, increase it (Docker: --shm-size, Compose: shm_size).',
      )
      return 'again without workers'
    }
    throw workError(outcome, { statement: 'CREATE INDEX', index: index.name, table, started })
  })
}

function leftToOthers({ settings }: PlannedBuild, { processors }: IndexFacts): string {
  const more = `{ workers: ${settings.workers + 1} }`
  return `other sessions are active, so one of the server's ${processors} processors is left to them; ${more} uses it too`
}

function partRebuilt({ schema, name }: ExistingIndex): string {
  return `${qualified(schema, name)} is part of a partitioned index and was left by an interrupted build; it is rebuilt`
}

/** A concurrent build blocks no writes, so it is watched. Any other build has to be brief. */
async function sendBuild(
  job: BuildJob,
  { how, table }: PlannedBuild,
  statement: string,
  onBegin: () => Promise<void> = () => Promise.resolve(),
  waitsFor: WaitsFor = 'writers',
): Promise<Outcome<void>> {
  const { session, needs, report, state } = job
  if (how === 'directly') {
    return unwatched.during(() => sendWithLockRetry(session, table, statement, needs, report))
  }
  return sendConcurrently(job, {
    table: table.oid,
    statement,
    waitsFor,
    onBegin: async () => {
      await onBegin()
      state.hasBegun = true
    },
  })
}

function sessionSettings(
  { settings }: PlannedBuild,
  { server, canCheckConnection }: IndexFacts,
  lockTimeout: number,
): Record<string, string> {
  return {
    maintenance_work_mem: `${settings.maintenanceWorkMemory / 1024}kB`,
    max_parallel_maintenance_workers: String(settings.workers),
    ...(settings.minParallelScan === null ? {} : { min_parallel_table_scan_size: String(settings.minParallelScan) }),
    lock_timeout: String(lockTimeout),
    statement_timeout: '0',
    ...(server.major >= 17 ? { transaction_timeout: '0' } : {}),
    // Otherwise, the build of a killed run would continue, and the next run would wait for it.
    ...(canCheckConnection ? { client_connection_check_interval: '1000' } : {}),
    client_min_messages: 'notice',
  }
}

function createSql(index: VectorIndex, { how, table, parameters }: PlannedBuild, { extension }: IndexFacts): string {
  const column = { ...index.column, schema: table.schema, table: table.name }
  const definition = indexDefinition({ ...index, column }, extension?.schema ?? 'public', parameters)
  return `create index ${how === 'directly' ? '' : 'concurrently '}${identifier(index.name)} ${definition}`
}

function rebuildSql({ schema, name }: ExistingIndex, { how }: PlannedBuild): string {
  return `reindex index ${how === 'directly' ? '' : 'concurrently '}${qualified(schema, name)}`
}

/**
 * Records that a build begins before it does. A killed process cannot record what it created, and `down` reads from the
 * log whether the index is ours. In a transaction, the index and its entry are committed together or not at all. A
 * rebuild does not change who created the index.
 */
async function note(
  session: Session,
  job: BuildJob,
  index: VectorIndex,
  { how, table, rebuilds }: PlannedBuild,
  event: 'index begun' | 'index dropped',
): Promise<void> {
  if (how === 'concurrently' && rebuilds === null) await noteIndex(session, job, index, table, event)
}

async function dropLeftover(
  job: BuildJob,
  index: VectorIndex,
  plan: PlannedBuild,
  { schema, name }: ExistingIndex,
): Promise<void> {
  const started = Date.now()
  job.logger.info(`${qualified(schema, name)} was left by an interrupted build; it is dropped and built again`)
  const concurrently = plan.how === 'directly' ? '' : 'concurrently '
  const statement = `drop index ${concurrently}if exists ${qualified(schema, name)}`
  const outcome = await sendBuild(job, plan, statement, undefined, 'everyone')
  if ('result' in outcome) return
  throw workError(outcome, { statement: 'CREATE INDEX', index: index.name, table: plan.table, started })
}

// If the table is in use and the index cannot be dropped now, the next run drops it.
async function cleanUp(job: BuildJob, index: VectorIndex, plan: PlannedBuild): Promise<void> {
  let isBuilt = false
  const find = async (session: Session): Promise<readonly string[]> => {
    const facts = await readCatalogFacts(session, index)
    // The backend of a lost connection may still be building it.
    if (facts.builds.length > 0) throw new Error('another backend is building on the table')
    // Only the answer was lost.
    isBuilt = facts.indexes.some((existing) => existing.isValid && existing.name === index.name)
    const invalid = facts.indexes.filter((existing) => !existing.isValid && isEqual(existing, index, facts))
    return invalid.filter(({ parent }) => parent === null).map(({ schema, name }) => qualified(schema, name))
  }
  await dropAfterwards(job, job.needs.lockTimeout, find, async (session) => {
    if (!isBuilt) await note(session, job, index, plan, 'index dropped')
  })
}
