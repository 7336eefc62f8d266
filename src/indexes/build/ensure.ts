import { PgvectorMigrationError } from '../../core/errors.ts'
import { pauseOnServer } from '../../database/pause.ts'
import { currentTarget } from '../../database/target.ts'
import { qualified } from '../../core/sql.ts'
import { interrupted } from './errors.ts'
import type { BuildJob } from './job.ts'
import { buildPartitions } from './partitions.ts'
import { createIndex, type Attempted } from './create.ts'
import type { EnsuredIndex } from './ensured-index.ts'
import type { BuildCosts, CatalogFacts, IndexFacts } from '../look/facts.ts'
import { readBuildCosts, readCatalogFacts } from '../look/read-facts.ts'
import { areRowsDecisive, planFromFacts, type IndexPlan, type PlanLimits, type PlannedBuild } from '../decide/plan.ts'
import { planFromCatalog } from '../decide/from-catalog.ts'
import type { VectorIndex } from '../vector-index.ts'

const LOOKS_EVERY = 250
const MOST_RACES = 5

/** Looks, decides and acts until the index exists and is valid, or cannot be built. */
export async function ensureIndex(job: BuildJob, index: VectorIndex): Promise<EnsuredIndex> {
  const { needs } = job
  // A plan runs on an empty copy, so missing rows there have no meaning.
  const limits: PlanLimits = currentTarget() === null ? needs : { ...needs, whenEmpty: 'build' }
  let { workers } = needs
  const started = Date.now()
  for (let races = 0; races < MOST_RACES;) {
    if (needs.signal?.aborted === true) throw interrupted(index.name)
    const outcome = await attempt(job, index, { ...limits, workers })
    if (typeof outcome === 'object') return outcome
    if (outcome !== 'look again') races++
    if (outcome === 'again without workers') workers = 0
  }
  const table = index.column.schema === null ? index.column.table : qualified(index.column.schema, index.column.table)
  throw new PgvectorMigrationError('TABLE_BUSY', {
    table,
    attempts: MOST_RACES,
    milliseconds: Date.now() - started,
    blockers: [],
  })
}

type Attempt = EnsuredIndex | 'look again' | Exclude<Attempted, 'built'>

/**
 * The catalog is read first, and again once the lock is held, because the previous lock holder may have done the work.
 * Slower reads happen only if a build is planned. They happen before the lock only if they decide whether there is one.
 */
async function attempt(job: BuildJob, index: VectorIndex, limits: PlanLimits): Promise<Attempt> {
  const { session, lock, report } = job
  const facts = await readCatalogFacts(session, index)
  const seen = planFromCatalog(facts, index)
  if (seen.action !== 'look at rows') return end(job, seen, facts)
  const readAll = async (): Promise<IndexFacts> => ({
    ...facts,
    ...(await readBuildCosts(session, index, facts, job.watch.processes())),
  })
  let all = areRowsDecisive(index, limits) ? await readAll() : null
  if (all !== null) {
    const early = planFromFacts(all, index, limits)
    if (early.action !== 'build' && early.action !== 'build partitions') return end(job, early, all)
  }
  await session.assertOwn()
  const taken = await lock.take(seen.table.oid)
  if (taken === 'busy') {
    report.waiting('build', [])
    await pause(job)
  }
  if (taken !== 'held') return 'look again'
  all ??= await readAll()
  const plan = planFromFacts(all, index, limits)
  if (plan.action === 'build partitions') {
    return buildPartitions(job, index, plan, all, (part) => ensureIndex(job, part))
  }
  return plan.action === 'build' ? build(job, index, plan, all) : end(job, plan, all)
}

/** Returns the result of an attempt that ends without a build. */
async function end(
  job: BuildJob,
  plan: Exclude<IndexPlan, { readonly action: 'build' | 'build partitions' }>,
  facts: CatalogFacts & Partial<BuildCosts>,
): Promise<Attempt> {
  const { report } = job
  switch (plan.action) {
    case 'refuse':
      throw plan.error
    case 'keep': {
      for (const warning of plan.warnings) report.warn(warning)
      const { name, parent } = plan.existing
      return { status: 'kept', facts, name, parent, rows: null, settings: null }
    }
    case 'postpone':
      for (const warning of plan.warnings) report.warn(warning)
      return { status: 'postponed', facts, name: null, parent: null, rows: facts.rows ?? null, settings: null }
    case 'wait':
      report.waiting(
        'build',
        plan.builds.map(({ processId }) => processId),
      )
      await pause(job)
      return 'look again'
  }
}

async function build(job: BuildJob, index: VectorIndex, plan: PlannedBuild, facts: IndexFacts): Promise<Attempt> {
  const outcome = await createIndex(job, index, plan, facts)
  if (outcome !== 'built') return outcome
  const { rows, settings, rebuilds } = plan
  const name = rebuilds?.name ?? index.name
  return { status: 'built', facts, name, parent: rebuilds?.parent ?? null, rows, settings }
}

async function pause({ session }: BuildJob): Promise<void> {
  await pauseOnServer(session, LOOKS_EVERY * (0.5 + Math.random()))
}
