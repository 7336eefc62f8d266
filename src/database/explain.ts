import type { QueryResult } from './knex-inside.ts'

/** The only value of the only row. */
export function onlyValue(answer: QueryResult | undefined): unknown {
  return Object.values(answer?.rows[0] ?? {})[0]
}

/** A plan of PostgreSQL, as far as it is read. */
export interface PlanNode {
  readonly 'Plan Rows': number
  readonly 'Index Name'?: string
  readonly Plans?: readonly PlanNode[]
  /** What it computes, where that was asked for. */
  readonly Output?: readonly string[]
}

/** The plan in what `explain (format json)` answered. */
export function explainedPlan(answer: unknown): PlanNode {
  // A caller may have told pg to leave json as text.
  const explained: unknown = typeof answer === 'string' ? JSON.parse(answer) : answer
  const [{ Plan: plan }] = explained as readonly [{ readonly Plan: PlanNode }]
  return plan
}
