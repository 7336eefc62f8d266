import { PgvectorMigrationError } from '../core/errors.ts'
import { parseOptions } from '../core/parse-options.ts'
import { identifier } from '../core/sql.ts'
import { loggerFrom } from '../database/logger.ts'
import { type Database, sessionOf } from '../database/session.ts'
import { originOf, reasonKept } from '../log/migration-log.ts'
import { assertAllowed, assertEqual, changeTable } from './change.ts'
import {
  dropColumnOptions,
  type DropColumnOptions,
  type DropColumnResult,
  type ParsedColumnOptions,
} from './change-options.ts'
import { assertColumn, tableOf, type VectorColumn } from './column.ts'
import { columnLabel, readColumnFacts } from './facts.ts'

/**
 * Drops a vector column with its data, and nothing else. If an index, a view or anything else depends on the column,
 * the drop is refused.
 *
 * The table is locked for a moment. Other sessions wait behind that lock for at most `lockTimeout`.
 *
 * @example await dropVectorColumn(knex, embedding)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, COLUMN_DIFFERS, COLUMN_IN_USE, INSUFFICIENT_PRIVILEGE or
 * TABLE_BUSY.
 */
export async function dropVectorColumn(
  db: Database,
  column: VectorColumn,
  options: DropColumnOptions = {},
): Promise<DropColumnResult> {
  assertColumn(column)
  const needs = parseOptions(dropColumnOptions, options)
  const session = sessionOf(db)
  const facts = await readColumnFacts(session, column)
  const { table, column: existing, dependents } = facts
  if (table === null || existing === null) return { status: 'absent', warnings: [] }
  const details = { table: table.oid, column: existing.number }
  const origin = needs.onlyOurs
    ? await originOf(session, needs.log, ['column added'], 'column dropped', details)
    : 'ours'
  if (origin !== 'ours') return keep(column, reasonKept(origin, 'added'), needs)
  assertEqual(existing, column)
  if (dependents.length > 0) {
    throw new PgvectorMigrationError('COLUMN_IN_USE', { column: columnLabel(column), dependents })
  }
  assertAllowed(table)
  const statement = `alter table ${tableOf(column)} drop column ${identifier(column.name)} restrict`
  const noted = { event: 'column dropped', details: { ...details, name: columnLabel(column) } } as const
  const warnings = await changeTable(session, { ...facts, table }, statement, needs, noted)
  return { status: 'dropped', warnings }
}

function keep(column: VectorColumn, why: string, { logger }: ParsedColumnOptions): DropColumnResult {
  const warning =
    `Column ${columnLabel(column)} ${why}. ` +
    `To drop it anyway: ALTER TABLE ${tableOf(column)} DROP COLUMN ${identifier(column.name)};`
  loggerFrom(logger).warn(warning)
  return { status: 'kept', warnings: [warning] }
}
