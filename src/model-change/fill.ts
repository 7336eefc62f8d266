import { PgvectorMigrationError } from '../core/errors.ts'
import { currentTarget } from '../database/target.ts'
import type { Session } from '../database/session.ts'
import { backfill } from '../embeddings/backfill.ts'
import type { ParsedAdvanceOptions } from './change-options.ts'
import type { ChangeState } from './change-state.ts'
import { updateSql } from './registry.ts'

type FillOptions = Pick<ParsedAdvanceOptions, 'signal' | 'onEvent' | 'logger' | 'batchSize' | 'concurrency' | 'lease'>

const SPEED_FROM_ROWS = 100

/**
 * Runs the worker of the new column until it has embedded as many rows as needed it at the start: while the application
 * writes, there is always another one. Returns whether it came to that end.
 *
 * @throws {PgvectorMigrationError} MODEL_NOT_SEARCHABLE where the new model is not among those of `embed`.
 */
export async function fill(
  session: Session,
  { target, targetPair, table, source, label }: ChangeState,
  { signal, onEvent, logger, batchSize, concurrency, lease }: FillOptions,
): Promise<boolean> {
  // A plan runs on an empty copy and must not call a model.
  if (currentTarget() !== null) return true
  if (target.embed === null) {
    const problems = [`embed has no function for the model ${targetPair.model}`]
    throw new PgvectorMigrationError('MODEL_CHANGE_REFUSED', { embedding: label, problems })
  }
  const enough = new AbortController()
  const { filled, inUse, milliseconds } = await backfill(session.knex, target, {
    signal: AbortSignal.any([enough.signal, ...(signal === undefined ? [] : [signal])]),
    logger,
    batchSize,
    concurrency,
    lease,
    onEvent: (event) => {
      if (event.type !== 'progress') return
      const { filled: written, total, rowsPerSecond, secondsLeft } = event
      if (written >= (total ?? Infinity)) enough.abort()
      const left = total === null ? null : Math.max(0, total - written)
      onEvent?.({ type: 'embedding', written, left, rowsPerSecond, secondsLeft })
    },
  })
  // Of a few rows, the speed says nothing.
  if (filled >= SPEED_FROM_ROWS) {
    const speed = filled / Math.max(1, milliseconds / 1000)
    await session.send(updateSql(table, source.column.name, { speed: Math.round(speed * 10) / 10 }))
  }
  return inUse === 0 && signal?.aborted !== true
}
