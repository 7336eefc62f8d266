import { PgvectorMigrationError, sqlStateOf } from '../core/errors.ts'
import { parseOptions } from '../core/parse-options.ts'
import { identifier, toRegclass } from '../core/sql.ts'
import { type Database, type Session, sessionOf } from '../database/session.ts'
import { sqlState } from '../database/sqlstate.ts'
import { numbersOf } from '../extension/log-change.ts'
import { tooOld } from '../extension/too-old.ts'
import { typeLimits } from '../pgvector/vector-types.ts'
import { isAtLeast } from '../pgvector/version.ts'
import { assertAllowed, assertEqual, changeTable } from './change.ts'
import { columnOptions, type AddColumnOptions, type AddColumnResult } from './change-options.ts'
import { assertColumn, tableOf, typeSql, type VectorColumn } from './column.ts'
import { columnLabel, readColumnFacts, type ColumnFacts, type ColumnTable } from './facts.ts'

/**
 * Adds a vector column to a table, and keeps an existing column that is equal.
 *
 * The table is locked for a moment. Other sessions wait behind that lock for at most `lockTimeout`.
 *
 * @example await addVectorColumn(knex, vectorColumn('documents', 'embedding', { dimensions: 384 }))
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, RELATION_NOT_FOUND, COLUMN_DIFFERS, COLUMN_NEEDS_VALUES, TABLE_BUSY,
 * INSUFFICIENT_PRIVILEGE, PGVECTOR_NOT_ENABLED or PGVECTOR_VERSION_TOO_LOW.
 */
export async function addVectorColumn(
  db: Database,
  column: VectorColumn,
  options: AddColumnOptions = {},
): Promise<AddColumnResult> {
  assertColumn(column)
  const needs = parseOptions(columnOptions, options)
  const session = sessionOf(db)
  const facts = await readColumnFacts(session, column)
  const { table, schema } = requirements(facts, column)
  if (facts.column !== null) {
    assertEqual(facts.column, column)
    return { status: 'kept', warnings: [] }
  }
  assertAllowed(table)
  if (column.notNull && (await hasRows(session, column))) {
    throw needsValues(column)
  }
  const definition = `${identifier(column.name)} ${typeSql(column.type, column.dimensions, schema)}`
  const statement = `alter table ${tableOf(column)} add column if not exists ${definition}${column.notNull ? ' not null' : ''}`
  const noted = {
    event: 'column added',
    details: { name: columnLabel(column) },
    computedDetails: numbersOf(table.schema, table.name, column.name),
  } as const
  const added = changeTable(session, { ...facts, table }, statement, needs, noted, async (trx) => {
    const now = await readColumnFacts(trx, column)
    // Another session may have added the column first, with another type.
    if (now.column !== null) assertEqual(now.column, column)
  })
  const warnings = await added.catch((error: unknown) => {
    // Rows were inserted in the meantime, or are hidden from this role.
    throw sqlStateOf(error) === sqlState.notNullViolation ? needsValues(column, error) : error
  })
  return { status: 'added', warnings }
}

function requirements(
  { seen: { installed }, table, available }: ColumnFacts,
  column: VectorColumn,
): { readonly table: ColumnTable; readonly schema: string } {
  if (table === null) throw new PgvectorMigrationError('RELATION_NOT_FOUND', { name: tableOf(column), kind: 'table' })
  // The type bit belongs to PostgreSQL and needs no extension until it is indexed.
  if (column.type === 'bit') return { table, schema: installed?.schema ?? 'public' }
  if (installed === null) {
    throw new PgvectorMigrationError('PGVECTOR_NOT_ENABLED', { needed: `the column ${columnLabel(column)}` })
  }
  const { since } = typeLimits[column.type]
  if (!isAtLeast(installed.version, since)) {
    throw tooOld(installed.version, since, available)
  }
  return { table, schema: installed.schema }
}

function needsValues(column: VectorColumn, cause?: unknown): PgvectorMigrationError {
  return new PgvectorMigrationError('COLUMN_NEEDS_VALUES', { column: columnLabel(column) }, { cause })
}

// If policies hide rows from this role, or fail in this session, only the change itself shows whether there are rows.
async function hasRows(session: Session, column: VectorColumn): Promise<boolean> {
  const table = tableOf(column)
  if (await session.ask<boolean>(`select to_json(row_security_active(${toRegclass(table)})) as state`)) return false
  // Citus takes no empty list of columns from a distributed table.
  return session.askAsCaller<boolean>(`select pg_catalog.to_json(exists (select 1 from ${table})) as state`)
}
