import { PgvectorMigrationError } from '../core/errors.ts'
import { literal, qualified } from '../core/sql.ts'
import { sendWithLockRetry } from '../database/lock-retry.ts'
import { loggerFrom } from '../database/logger.ts'
import type { Session } from '../database/session.ts'
import { logChange } from '../extension/log-change.ts'
import type { ParsedColumnOptions } from './change-options.ts'
import type { VectorColumn } from './column.ts'
import { columnDeclaration, columnLabel, isSameColumn, type ColumnFacts, type ColumnTable } from './facts.ts'
import { lackingRights, refusedRight } from './table-rights.ts'

/** A table that is there, and the server as it was seen with it. */
type TableToChange = Pick<ColumnFacts, 'seen'> & { readonly table: ColumnTable }

/** What the migration log is to say of a change. */
interface Noted {
  readonly event: 'column added' | 'column dropped'
  readonly details: Readonly<Record<string, unknown>>
  readonly computedDetails?: Readonly<Record<string, string>>
}

/** Changes the table and notes it in one transaction, so that the one is never there without the other; returns warnings. */
export async function changeTable(
  session: Session,
  { seen, table }: TableToChange,
  statement: string,
  needs: ParsedColumnOptions,
  { event, details, computedDetails }: Noted,
  check?: (trx: Session) => Promise<void>,
): Promise<readonly string[]> {
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
    }).catch((error: unknown) => {
      throw refusedRight(error, 'ALTER TABLE', table)
    })
    await trx.send(`set local lock_timeout = ${literal(before)}`)
    await setStatementTimeout(trx, patience)
    await check?.(trx)
    const milliseconds = performance.now() - started
    return logChange(trx, needs.log, { event, milliseconds, details, computedDetails, seen })
  })
  for (const warning of warnings) logger.warn(warning)
  return warnings
}

// As a question, which a plan leaves out: it is about this session.
async function setStatementTimeout(trx: Session, value: string): Promise<void> {
  await trx.ask<string | undefined>(`select set_config('statement_timeout', ${literal(value)}, true) as state`)
}

/** Refuses a table that this role may not alter, before it is locked. */
export function assertAllowed(table: ColumnTable): void {
  const forbidden = lackingRights('ALTER TABLE', table)
  if (forbidden !== null) throw forbidden
}

/** Refuses a column of the name that is not as it was declared. */
export function assertEqual(existing: NonNullable<ColumnFacts['column']>, column: VectorColumn): void {
  if (isSameColumn(existing, column)) return
  const details = {
    column: columnLabel(column),
    existing: columnDeclaration(existing),
    wanted: columnDeclaration(column),
  }
  throw new PgvectorMigrationError('COLUMN_DIFFERS', details)
}
