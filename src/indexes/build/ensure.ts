import { setTimeout as sleep } from 'node:timers/promises'

import { PgvectorMigrationError } from '../../core/errors.ts'
import { currentTarget } from '../../database/target.ts'
import { qualified } from '../../core/sql.ts'
import { interrupted } from './errors.ts'
import type { BuildJob } from './job.ts'
import type { BuildSettings } from '../decide/memory.ts'
import { buildPartitions } from './partitions.ts'
import { createIndex } from './create.ts'
import type { EnsuredIndex } from './ensured-index.ts'
import { readFacts } from '../look/read-facts.ts'
import { planIndexBuild, type IndexPlanOptions } from '../decide/plan.ts'
import type { VectorIndex } from '../vector-index.ts'

const LOOKS_EVERY = 250
const MOST_RACES = 5

/** Looks, decides and does until the index is there and valid, or cannot be. */
export async function ensureIndex(job: BuildJob, index: VectorIndex): Promise<EnsuredIndex> {
  const { session, watch, needs, lock, report } = job
  // A plan is made on an empty copy: what is missing there says nothing.
  const limits: IndexPlanOptions = currentTarget() === null ? needs : { ...needs, whenEmpty: 'build' }
  let { workers } = needs
  const started = Date.now()
  let built: BuildSettings | null = null
  for (let races = 0; races < MOST_RACES;) {
    if (needs.signal?.aborted === true) throw interrupted(index)
    const facts = await readFacts(session, index, watch.processes())
    const plan = planIndexBuild(facts, index, { ...limits, workers })
    switch (plan.action) {
      case 'refuse':
        throw plan.error
      case 'keep': {
        for (const warning of plan.warnings) report.warn(warning)
        const { name, parent } = plan.existing
        return { status: built === null ? 'kept' : 'built', facts, name, parent, settings: built }
      }
      case 'postpone':
        for (const warning of plan.warnings) report.warn(warning)
        return { status: 'postponed', facts, name: null, parent: null, settings: null }
      case 'wait': {
        report.waiting(
          'build',
          plan.builds.map(({ processId }) => processId),
        )
        await pause(job)
        continue
      }
      case 'build':
      case 'build partitions': {
        await session.assertOwn()
        const taken = await lock.take(plan.table.oid)
        if (taken === 'busy') {
          report.waiting('build', [])
          await pause(job)
        }
        // Whoever had the lock may have done the work.
        if (taken !== 'held') continue
        if (plan.action === 'build partitions')
          return buildPartitions(job, index, plan, facts, (part) => ensureIndex(job, part))
        const outcome = await createIndex(job, index, plan, facts)
        if (outcome === 'built') built = plan.settings
        else races++
        if (outcome === 'again without workers') workers = 0
      }
    }
  }
  const table = index.column.schema === null ? index.column.table : qualified(index.column.schema, index.column.table)
  throw new PgvectorMigrationError('TABLE_BUSY', {
    table,
    attempts: MOST_RACES,
    milliseconds: Date.now() - started,
    blockers: [],
  })
}

async function pause({ needs }: BuildJob): Promise<void> {
  await sleep(LOOKS_EVERY * (0.5 + Math.random()), undefined, { signal: needs.signal }).catch(() => undefined)
}
