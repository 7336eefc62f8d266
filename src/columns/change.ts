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

/** An existing table, and the server's state when the table was read. */
type TableToChange = Pick<ColumnFacts, 'seen'> & { readonly table: ColumnTable }

/** What the migration log records about a change. */
interface Noted {
  readonly event: 'column added' | 'column dropped' | 'marks added' | 'marks dropped'
  readonly details: Readonly<Record<string, unknown>>
  readonly computedDetails?: Readonly<Record<string, string>>
}

/**
 * Changes the table and records the change in one transaction, so that neither exists without the other. Returns
 * warnings.
 */
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
  const warnings = await session.transaction(
    async (trx) => {
      const before = (await trx.ask<string | undefined>(`select current_setting('lock_timeout') as state`)) ?? '0'
      const patience =
        (await trx.ask<string | undefined>(`select current_setting('statement_timeout') as state`)) ?? '0'
      await trx.send(`set local lock_timeout = ${needs.lockTimeout}`)
      // A statement timeout would end the wait for the lock with a different error, and the attempt would not be
      // repeated.
      await setStatementTimeout(trx, '0')
      await sendWithLockRetry(trx, table, statement, needs, {
        waiting: (_, blockers) => {
          logger.info(
            `${qualified(table.schema, table.name)} is in use by backend PID ${blockers.join(', ')}; trying again`,
          )
        },
      }).catch((error: unknown) => {
        throw refusedRight(error, 'ALTER TABLE', table)
      })
      await trx.send(`set local lock_timeout = ${literal(before)}`)
      await setStatementTimeout(trx, patience)
      await check?.(trx)
      const milliseconds = performance.now() - started
      return logChange(trx, needs.log, { event, milliseconds, details, computedDetails, seen })
    },
    { isBrief: true },
  )
  for (const warning of warnings) logger.warn(warning)
  return warnings
}

// Sent as a question, which a plan does not list, because the setting concerns only this session.
async function setStatementTimeout(trx: Session, value: string): Promise<void> {
  await trx.ask<string | undefined>(`select set_config('statement_timeout', ${literal(value)}, true) as state`)
}

/** Refuses a table that this role may not alter, before the table is locked. */
export function assertAllowed(table: ColumnTable): void {
  const forbidden = lackingRights('ALTER TABLE', table)
  if (forbidden !== null) throw forbidden
}

/** Refuses an existing column of that name that differs from the declaration. */
export function assertEqual(existing: NonNullable<ColumnFacts['column']>, column: VectorColumn): void {
  if (isSameColumn(existing, column)) return
  const details = {
    column: columnLabel(column),
    existing: columnDeclaration(existing),
    wanted: columnDeclaration(column),
  }
  throw new PgvectorMigrationError('COLUMN_DIFFERS', details)
}
