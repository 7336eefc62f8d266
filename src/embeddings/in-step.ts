import { identifier } from '../core/sql.ts'
import { type Database, type Session, sessionOf } from '../database/session.ts'
import { assertEmbedding, type Embedding } from './embedding.ts'
import { keyNames } from './key-sql.ts'
import { assertKeptInStep, readInStepState, type InStepState } from './state.ts'

/** How far the vectors of a column are in step with their rows. */
export interface InStep {
  /** Rows that changed after their vector was made, and wait for a new one. */
  readonly stale: number
  /** Rows without a vector. */
  readonly missing: number
  /** Rows that a worker has given up, until they change or `retryInStep` is called. They have an old vector or none. */
  readonly failed: number
  /** When the oldest waiting change was made; null if there is none. */
  readonly oldest: Date | null
}

/**
 * Counts the rows whose vectors are stale, missing, or could not be made. It only reads.
 *
 * @example const { stale, missing, failed, oldest } = await inStep(knex, articles)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, RELATION_NOT_FOUND, COLUMN_DIFFERS, NOT_KEPT_IN_STEP,
 * IN_STEP_NOT_POSSIBLE or TABLE_NOT_TRUSTED.
 */
export async function inStep(db: Database, embedding: Embedding): Promise<InStep> {
  assertEmbedding(embedding)
  const session = sessionOf(db)
  const state = await readInStepState(session, embedding)
  assertKeptInStep(state)
  return countInStep(session, state)
}

/** Counts the same for an embedding whose state was read. */
export async function countInStep(session: Session, { target, tables }: InStepState): Promise<InStep> {
  const { from, alias, key, column } = target
  const { oldest, ...counts } = await session.askAsCaller<Omit<InStep, 'oldest'> & { readonly oldest: string | null }>(
    `select pg_catalog.json_build_object(
      'stale', (select pg_catalog.count(*) from (select distinct ${keyNames(key).join(', ')} from ${tables.marks}) as marked),
      'missing', (select pg_catalog.count(*) from ${from} as ${alias} where ${alias}.${identifier(column.name)} is null),
      'failed', (select pg_catalog.count(*) from ${tables.claims} where due_at operator(pg_catalog.=) 'infinity'),
      'oldest', (select marked_at from ${tables.marks} order by seq limit 1)
    ) as state`,
  )
  return { ...counts, oldest: oldest === null ? null : new Date(oldest) }
}

/** Whether every row has the vector of what it says now. */
export function isAllInStep({ stale, missing, failed }: InStep): boolean {
  return stale === 0 && missing === 0 && failed === 0
}
