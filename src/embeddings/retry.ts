import { type Database, sessionOf } from '../database/session.ts'
import { assertEmbedding, type Embedding } from './embedding.ts'
import { keyNames } from './key-sql.ts'
import { assertKeptInStep, readInStepState } from './state.ts'

/** The result of {@link retryInStep}. */
export interface RetryInStepResult {
  /** Rows that a worker will try again. */
  readonly retried: number
}

/**
 * Lets workers try the rows again that they have given up.
 *
 * @example const { retried } = await retryInStep(knex, articles)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, RELATION_NOT_FOUND, COLUMN_DIFFERS, NOT_KEPT_IN_STEP,
 * IN_STEP_NOT_POSSIBLE or TABLE_NOT_TRUSTED.
 */
export async function retryInStep(db: Database, embedding: Embedding): Promise<RetryInStepResult> {
  assertEmbedding(embedding)
  const session = sessionOf(db)
  const state = await readInStepState(session, embedding)
  assertKeptInStep(state)
  const { marks, claims } = state.tables
  const key = keyNames(state.target.key).join(', ')
  const retried = await session.askAsCaller<number>(`with failed as (
      delete from ${claims} as c where c.holder is null and c.due_at operator(pg_catalog.=) 'infinity' returning ${key}
    ),
    marked as (insert into ${marks} (${key}) select ${key} from failed returning 1)
    select pg_catalog.to_json(pg_catalog.count(*)) as state from marked`)
  return { retried }
}
