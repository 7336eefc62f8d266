import { ASKS, send, type Database } from './queryable.ts'

const SAVEPOINT = 'knex_pgvector_scratch'

/**
 * Sends statements, in one round trip, whose effect is undone at once, and returns what Knex answers to each of them.
 *
 * @throws what the server says; the transaction of the caller goes on as before.
 */
export async function tryOut(db: Database, statements: readonly string[]): Promise<readonly unknown[]> {
  const [open, ...undo] =
    db.isTransaction === true
      ? [`savepoint ${SAVEPOINT}`, `rollback to savepoint ${SAVEPOINT}`, `release savepoint ${SAVEPOINT}`]
      : ['begin', 'rollback']
  const all = [open, ...statements, ...undo].join(';\n')
  try {
    // Nothing comes of it, so a plan need not tell it.
    const answers = await db.raw<readonly unknown[]>(all).queryContext({ [ASKS]: true })
    return answers.slice(1, 1 + statements.length)
  } catch (error) {
    await send(db, undo.join(';\n')).catch(() => undefined)
    throw error
  }
}

/** The only value of the only row. */
export function onlyValue(answer: unknown): unknown {
  const { rows } = answer as { readonly rows?: readonly Readonly<Record<string, unknown>>[] }
  return Object.values(rows?.[0] ?? {})[0]
}

/** A plan of PostgreSQL, as far as it is read. */
export interface PlanNode {
  readonly 'Plan Rows': number
  readonly 'Index Name'?: string
  readonly Plans?: readonly PlanNode[]
  /** What it computes, where that was asked for. */
  readonly Output?: readonly string[]
}

/** The plan that `explain (format json)` answered. */
export function explainedPlan(answer: unknown): PlanNode {
  const value = onlyValue(answer)
  // A caller may have told pg to leave json as text.
  const explained: unknown = typeof value === 'string' ? JSON.parse(value) : value
  const [{ Plan: plan }] = explained as readonly [{ readonly Plan: PlanNode }]
  return plan
}
