import { PgvectorMigrationError } from '../core/errors.ts'
import type { Session } from '../database/session.ts'
import { columnLabel } from '../columns/facts.ts'
import type { VectorColumn } from '../columns/column.ts'
import type { TableFacts } from '../embeddings/table-facts.ts'
import { vectorTarget, type VectorTarget } from '../embeddings/target.ts'
import type { ParsedRowOptions } from './options.ts'

/** Decides which rows to backfill, and which key identifies them. */
export function backfillTarget(
  session: Session,
  found: TableFacts,
  column: VectorColumn,
  { read, where }: ParsedRowOptions,
): VectorTarget {
  const target = vectorTarget(session, found, column, { read, option: 'read', where, model: '' })
  if (target.key.length > 0) return target
  const problem = 'its table has neither a primary key nor a unique index of NOT NULL columns'
  throw new PgvectorMigrationError('BACKFILL_FAILED', { column: columnLabel(column), filled: 0, problem })
}
