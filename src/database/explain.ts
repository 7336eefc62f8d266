import type { QueryResult } from './knex-inside.ts'

/** Returns the only value of the only row. */
export function onlyValue(answer: QueryResult | undefined): unknown {
  return Object.values(answer?.rows[0] ?? {})[0]
}

/** A PostgreSQL query plan, as far as it is read. */
export interface PlanNode {
  readonly 'Plan Rows': number
  readonly 'Index Name'?: string
  readonly Plans?: readonly PlanNode[]
  /** The computed expressions, if they were requested. */
  readonly Output?: readonly string[]
}

/** Returns the names of the indexes that a plan scans. */
export function indexesIn(node: PlanNode): readonly string[] {
  const own = node['Index Name']
  return [...(own === undefined ? [] : [own]), ...(node.Plans ?? []).flatMap(indexesIn)]
}

/** Returns the plan from the answer to `explain (format json)`. */
export function explainedPlan(answer: unknown): PlanNode {
  // A caller may have configured pg to return json as text.
  const explained: unknown = typeof answer === 'string' ? JSON.parse(answer) : answer
  const [{ Plan: plan }] = explained as readonly [{ readonly Plan: PlanNode }]
  return plan
}
