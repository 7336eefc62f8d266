import { parseOptions } from '../core/parse-options.ts'
import { type Database, sessionOf } from '../database/session.ts'
import { limitOptions } from './build/options.ts'
import { planFromFacts, type IndexPlan, type PlanIndexOptions } from './decide/plan.ts'
import { readIndexFacts } from './look/read-facts.ts'
import { assertIndex, type VectorIndex } from './vector-index.ts'

/**
 * Returns what {@link createVectorIndex} would do about an index: the action, and for a build its settings and
 * warnings. It only reads.
 *
 * @example
 * ```ts
 * const plan = await planVectorIndex(knex, index, { maxMemory: '4GB' })
 * if (plan.action === 'build') console.log(plan.settings, plan.warnings)
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, or INDEX_BUILD_FAILED if the condition of a partial index fails.
 */
export async function planVectorIndex(
  db: Database,
  index: VectorIndex,
  options: PlanIndexOptions = {},
): Promise<IndexPlan> {
  assertIndex(index)
  const limits = parseOptions(limitOptions, options)
  return planFromFacts(await readIndexFacts(sessionOf(db), index), index, limits)
}
