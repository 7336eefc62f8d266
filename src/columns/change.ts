import { PgvectorMigrationError, sqlStateOf } from '../core/errors.ts'
import { typeLimits } from '../pgvector/limits.ts'
import { readState } from '../extension/inspect.ts'
import { isLogged } from '../log/migration-log.ts'
import { logChange, numbersOf } from '../extension/log-change.ts'
import { loggerFrom } from '../database/logger.ts'
import { isAtLeast } from '../pgvector/version.ts'
import { outputOptions, type Logger, type LogOptions } from '../core/options.ts'
import { type Database, type Session, sessionOf } from '../database/session.ts'
import { lazySchema, parseOptions, type Parsed } from '../core/parse-options.ts'
import { identifier, literal, qualified, toRegclass } from '../core/sql.ts'
import { sqlState } from '../database/sqlstate.ts'
import { sendWithLockRetry } from '../database/lock-retry.ts'
import { tableOf, typeSql, type VectorColumn } from './column.ts'
import { lackingRights } from './schema-rights.ts'
import { columnDeclaration, columnLabel, isSameColumn, readColumnFacts, type ColumnFacts } from './facts.ts'

/** What {@link addVectorColumn} and {@link dropVectorColumn} may be told. */
export interface ColumnOptions {
  /** Milliseconds that others may have to wait behind this, at most; default 1000. */
  readonly lockTimeout?: number | undefined
  /** Milliseconds to try in all to get the table; default 60000. */
  readonly wait?: number | undefined
  /** Where messages go; default the console. `false` silences them. */
  readonly logger?: Logger | false | undefined
  /** Where the migration log is kept; `false` writes none. */
  readonly log?: LogOptions | false | undefined
}

/** What {@link dropVectorColumn} may be told. */
export interface DropColumnOptions extends ColumnOptions {
  /** Leave a column that {@link addVectorColumn} did not add, as far as the log tells; default false. */
  readonly onlyOurs?: boolean | undefined
}

/** What became of a column. */
export interface ColumnResult {
  /** `kept`: an equal one was there, or it is not ours to drop. `absent`: there was nothing to drop. */
  readonly status: 'added' | 'dropped' | 'kept' | 'absent'
  readonly warnings: readonly string[]
}

const columnOptions = lazySchema((z) =>
  outputOptions().extend({
    lockTimeout: z.int('must be whole milliseconds').min(1, 'must be at least 1').default(1000),
    wait: z.int('must be whole milliseconds').min(0, 'must not be negative').default(60_000),
    onlyOurs: z.boolean('must be true or false').default(false),
  }),
)

type Needs = Parsed<typeof columnOptions>

/**
 * Makes sure that a table has a column of vectors; an equal one is kept. The table is locked for a moment, and nobody
 * waits behind that for longer than `lockTimeout`.
 *
 * @example await addVectorColumn(knex, vectorColumn('documents', 'embedding', { dimensions: 384 }))
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, RELATION_NOT_FOUND, COLUMN_DIFFERS, COLUMN_NEEDS_VALUES, TABLE_BUSY,
 * INSUFFICIENT_PRIVILEGE or PGVECTOR_VERSION_TOO_LOW.
 */
export async function addVectorColumn(
  db: Database,
  column: VectorColumn,
  options: ColumnOptions = {},
): Promise<ColumnResult> {
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
  const added = change(session, table, statement, needs, noted, async (trx) => {
    const now = await readColumnFacts(trx, column)
    // Somebody may have been faster, with another type.
    if (now.column !== null) assertEqual(now.column, column)
  })
  return added.catch((error: unknown) => {
    // Rows that came meanwhile, or that are hidden from this role.
    throw sqlStateOf(error) === sqlState.notNullViolation ? needsValues(column, error) : error
  })
}

/**
 * Drops a column of vectors, with its data and nothing else: where an index, a view or anything else depends on it, it
 * is refused. The table is locked for a moment, and nobody waits behind that for longer than `lockTimeout`.
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
): Promise<ColumnResult> {
  const needs = parseOptions(columnOptions, options)
  const session = sessionOf(db)
  const facts = await readColumnFacts(session, column)
  const { table, column: existing, dependents } = facts
  if (table === null || existing === null) return { status: 'absent', warnings: [] }
  const details = { table: table.oid, column: existing.number }
  if (needs.onlyOurs && !(await isAddedByUs(session, needs.log, details))) return keep(column, needs)
  assertEqual(existing, column)
  if (dependents.length > 0) {
    throw new PgvectorMigrationError('COLUMN_IN_USE', { column: columnLabel(column), dependents })
  }
  assertAllowed(table)
  const statement = `alter table ${tableOf(column)} drop column ${identifier(column.name)} restrict`
  const noted = { event: 'column dropped', details: { ...details, name: columnLabel(column) } } as const
  return change(session, table, statement, needs, noted)
}

function requirements(
  { seen: { installed }, table }: ColumnFacts,
  column: VectorColumn,
): { readonly table: NonNullable<ColumnFacts['table']>; readonly schema: string } {
  if (table === null) throw new PgvectorMigrationError('RELATION_NOT_FOUND', { name: tableOf(column), kind: 'table' })
  // bit is PostgreSQL's own, and needs no extension before it is indexed.
  if (column.type === 'bit') return { table, schema: installed?.schema ?? 'public' }
  if (installed === null) {
    throw new PgvectorMigrationError('PGVECTOR_NOT_ENABLED', { needed: `the column ${columnLabel(column)}` })
  }
  const { since } = typeLimits[column.type]
  if (!isAtLeast(installed.version, since)) {
    const details = { installed: installed.version, minimum: since, available: null }
    throw new PgvectorMigrationError('PGVECTOR_VERSION_TOO_LOW', details)
  }
  return { table, schema: installed.schema }
}

function assertAllowed(table: NonNullable<ColumnFacts['table']>): void {
  const forbidden = lackingRights('ALTER TABLE', table)
  if (forbidden !== null) throw forbidden
}

function assertEqual(existing: NonNullable<ColumnFacts['column']>, column: VectorColumn): void {
  if (isSameColumn(existing, column)) return
  const details = {
    column: columnLabel(column),
    existing: columnDeclaration(existing),
    wanted: columnDeclaration(column),
  }
  throw new PgvectorMigrationError('COLUMN_DIFFERS', details)
}

function needsValues(column: VectorColumn, cause?: unknown): PgvectorMigrationError {
  return new PgvectorMigrationError('COLUMN_NEEDS_VALUES', { column: columnLabel(column) }, { cause })
}

// Where policies hide rows from this role, or fail in this session, only the change itself tells.
async function hasRows(session: Session, column: VectorColumn): Promise<boolean> {
  const table = tableOf(column)
  if (await session.ask<boolean>(`select to_json(row_security_active(${toRegclass(table)})) as state`)) return false
  return session.askAsCaller<boolean>(`select pg_catalog.to_json(exists (select from ${table})) as state`)
}

async function isAddedByUs(
  session: Session,
  log: Needs['log'],
  details: Readonly<Record<string, unknown>>,
): Promise<boolean> {
  if (log === false) return false
  return isLogged(session, (await readState(session, { log }, null)).log, ['column added'], 'column dropped', details)
}

function keep(column: VectorColumn, { logger }: Needs): ColumnResult {
  const warning =
    `Column ${columnLabel(column)} was not added by knex-pgvector as far as its log tells, so it stays. ` +
    `To drop it all the same: ALTER TABLE ${tableOf(column)} DROP COLUMN ${identifier(column.name)};`
  loggerFrom(logger).warn(warning)
  return { status: 'kept', warnings: [warning] }
}

/** What the migration log is to say of a change. */
interface Noted {
  readonly event: 'column added' | 'column dropped'
  readonly details: Readonly<Record<string, unknown>>
  readonly computedDetails?: Readonly<Record<string, string>>
}

// As a question, which a plan leaves out: it is about this session.
async function setStatementTimeout(trx: Session, value: string): Promise<void> {
  await trx.ask<string | undefined>(`select set_config('statement_timeout', ${literal(value)}, true) as state`)
}

/** Changes the table and notes it in one transaction, so that the one is never there without the other. */
async function change(
  session: Session,
  table: NonNullable<ColumnFacts['table']>,
  statement: string,
  needs: Needs,
  { event, details, computedDetails }: Noted,
  check?: (trx: Session) => Promise<void>,
): Promise<ColumnResult> {
  const logger = loggerFrom(needs.logger)
  const started = performance.now()
  const warnings = await session.transaction(async (trx) => {
    const before = (await trx.ask<string | undefined>(`select current_setting('lock_timeout') as state`)) ?? '0'
    const patience = (await trx.ask<string | undefined>(`select current_setting('statement_timeout') as state`)) ?? '0'
    await trx.send(`set local lock_timeout = ${needs.lockTimeout}`)
    // It would end the waiting for the lock, which is to be tried again, with another error.
    await setStatementTimeout(trx, '0')
    await sendWithLockRetry(trx, table, statement, needs, {
      waiting: (_, blockers) => {
        logger.info(`${qualified(table.schema, table.name)} is in use (process ${blockers.join(', ')}); trying again`)
      },
    })
    await trx.send(`set local lock_timeout = ${literal(before)}`)
    await setStatementTimeout(trx, patience)
    await check?.(trx)
    return logChange(trx, needs.log, event, performance.now() - started, details, computedDetails)
  })
  for (const warning of warnings) logger.warn(warning)
  return { status: event === 'column added' ? 'added' : 'dropped', warnings }
}
