import { PgvectorMigrationError } from '../core/errors.ts'
import { identifier, qualified } from '../core/sql.ts'
import { databaseName } from '../database/column-name.ts'
import { refuseReadOnly } from '../database/read-only.ts'
import type { Session } from '../database/session.ts'
import { columnDeclaration, columnLabel, isSameColumn } from '../columns/facts.ts'
import { tableOf, type VectorColumn } from '../columns/column.ts'
import type { KeyColumn, TableColumn, TableFacts } from './table-facts.ts'

/** The vectors to write, after checking that the table has what they need. */
export interface VectorTarget {
  readonly column: VectorColumn
  readonly schema: string
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
  /** The model whose vectors these are; empty if it is not recorded. */
  readonly model: string
}

/** A column that is read, by its name in the database and as the application writes it. */
export interface ReadColumn extends TableColumn {
  readonly as: string
}

/** What the vectors of a column are made of. */
export interface Source {
  readonly read: readonly string[]
  /** The name of the option that lists these columns, for messages. */
  readonly option: 'read' | 'from'
  readonly where?: string | undefined
  readonly model: string
}

/** Decides which rows get vectors, and which key identifies them. */
export function vectorTarget(session: Session, found: TableFacts, column: VectorColumn, source: Source): VectorTarget {
  const { facts, columns, kind, key } = found
  const table = assertSameColumn(found, column)
  const wanted = source.read.map((as) => ({ name: databaseName(session, as), as }))
  const problems = wanted
    .filter(({ name }) => !columns.some((each) => each.name === name))
    .map(({ name }) => `${source.option}: the table has no column ${name}`)
  if (problems.length > 0) throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
  const qualifiedName = qualified(table.schema, table.name)
  return {
    column,
    schema: table.schema,
    table: qualifiedName,
    // Tables that inherit from this one have rows with keys of their own.
    from: kind === 'ordinary' ? `only ${qualifiedName}` : qualifiedName,
    alias: identifier(table.name),
    extensionSchema: facts.seen.installed?.schema ?? 'public',
    key,
    read: wanted.flatMap(({ name, as }) =>
      columns.filter((each) => each.name === name).map((each) => ({ ...each, as })),
    ),
    where: source.where ?? null,
    model: source.model,
  }
}

/** Throws if nothing can be written. */
export function assertWritable(found: TableFacts, { table, column }: VectorTarget): void {
  const { readOnly, role } = found
  refuseReadOnly(readOnly)
  const statement = lackingRight(found, table, column)
  if (statement !== null) throw new PgvectorMigrationError('INSUFFICIENT_PRIVILEGE', { statement, role })
}

function assertSameColumn(
  { facts, kind }: TableFacts,
  column: VectorColumn,
): NonNullable<TableFacts['facts']['table']> {
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

function lackingRight({ canRead, canUpdate }: TableFacts, table: string, { name }: VectorColumn): string | null {
  if (!canRead) return `SELECT from ${table}`
  return canUpdate ? null : `UPDATE ${identifier(name)} of ${table}`
}
