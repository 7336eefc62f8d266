import { PgvectorMigrationError } from '../core/errors.ts'
import { identifier, qualified } from '../core/sql.ts'
import { databaseName } from '../database/column-name.ts'
import type { Session } from '../database/session.ts'
import type { BackfillFacts, KeyColumn } from './facts.ts'
import type { ParsedRowOptions } from './options.ts'
import { columnDeclaration, columnLabel, isSameColumn } from '../columns/facts.ts'
import { tableOf, type VectorColumn } from '../columns/column.ts'

/** The inputs of a backfill, after checking that it is possible. */
export interface BackfillTarget {
  readonly column: VectorColumn
  /** The table, quoted, with its schema. */
  readonly table: string
  /** The table as FROM and UPDATE need it. */
  readonly from: string
  /** The quoted alias that qualifies its columns. */
  readonly alias: string
  readonly extensionSchema: string
  readonly key: readonly KeyColumn[]
  readonly read: readonly ReadColumn[]
  readonly where: string | null
}

/** A column that is read: its name in the database, and as the application writes it. */
interface ReadColumn {
  readonly name: string
  readonly as: string
}

/** Decides which rows to backfill, and which key identifies them. */
export function backfillTarget(
  session: Session,
  found: BackfillFacts,
  column: VectorColumn,
  wanted: ParsedRowOptions,
): BackfillTarget {
  const { facts, columns, kind, key } = found
  const table = assertColumn(found, column)
  const read = wanted.read.map((as) => ({ name: databaseName(session, as), as }))
  const problems = read
    .filter(({ name }) => !columns.includes(name))
    .map(({ name }) => `read: the table has no column ${name}`)
  if (problems.length > 0) throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
  if (key.length === 0) {
    const problem = 'its table has neither a primary key nor a unique index of NOT NULL columns'
    throw new PgvectorMigrationError('BACKFILL_FAILED', { column: columnLabel(column), filled: 0, problem })
  }
  const qualifiedName = qualified(table.schema, table.name)
  return {
    column,
    table: qualifiedName,
    // Tables that inherit from this one have rows with keys of their own.
    from: kind === 'ordinary' ? `only ${qualifiedName}` : qualifiedName,
    alias: identifier(table.name),
    extensionSchema: facts.seen.installed?.schema ?? 'public',
    key,
    read,
    where: wanted.where ?? null,
  }
}

/** Throws if nothing can be written. */
export function assertWritable(found: BackfillFacts, { table, column }: BackfillTarget): void {
  const { readOnly, role } = found
  if (readOnly !== null) throw new PgvectorMigrationError('READ_ONLY', { reason: readOnly })
  const statement = lackingRight(found, table, column)
  if (statement !== null) throw new PgvectorMigrationError('INSUFFICIENT_PRIVILEGE', { statement, role })
}

function assertColumn(
  { facts, kind }: BackfillFacts,
  column: VectorColumn,
): NonNullable<BackfillFacts['facts']['table']> {
  const { table, column: existing } = facts
  if (table === null || kind === 'other') {
    throw new PgvectorMigrationError('RELATION_NOT_FOUND', { name: tableOf(column), kind: 'table' })
  }
  if (existing === null) {
    throw new PgvectorMigrationError('RELATION_NOT_FOUND', { name: columnLabel(column), kind: 'column' })
  }
  // Whether the column may be null does not matter here.
  if (!isSameColumn(existing, { ...column, notNull: existing.notNull })) {
    const wanted = columnDeclaration({ ...column, notNull: false })
    const details = { column: columnLabel(column), existing: existing.type, wanted }
    throw new PgvectorMigrationError('COLUMN_DIFFERS', details)
  }
  return table
}

function lackingRight({ canRead, canUpdate }: BackfillFacts, table: string, { name }: VectorColumn): string | null {
  if (!canRead) return `SELECT from ${table}`
  return canUpdate ? null : `UPDATE ${identifier(name)} of ${table}`
}
