import { PgvectorMigrationError } from '../core/errors.ts'
import { parseOptions } from '../core/parse-options.ts'
import { assertAllowed, changeTable } from '../columns/change.ts'
import { readColumnFacts } from '../columns/facts.ts'
import { loggerFrom } from '../database/logger.ts'
import { type Database, sessionOf } from '../database/session.ts'
import { originOf, reasonKept } from '../log/migration-log.ts'
import { assertEmbedding, type Embedding } from './embedding.ts'
import { removeOptions, type RemoveInStepOptions, type RemoveInStepResult } from './set-up-options.ts'
import { removeSql } from './set-up-sql.ts'
import { assertTrusted, readInStepState, type InStepState } from './state.ts'

/**
 * Removes what {@link setUpInStep} created, and nothing else. The vectors stay, and nothing marks them as stale any more.
 *
 * The table is locked for a moment. Other sessions wait behind that lock for at most `lockTimeout`.
 *
 * @example await removeInStep(knex, articles)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, COLUMN_DIFFERS, TABLE_NOT_TRUSTED, INSUFFICIENT_PRIVILEGE or
 * TABLE_BUSY.
 */
export async function removeInStep(
  db: Database,
  embedding: Embedding,
  options: RemoveInStepOptions = {},
): Promise<RemoveInStepResult> {
  assertEmbedding(embedding)
  const needs = parseOptions(removeOptions, options)
  const session = sessionOf(db)
  const { table, column } = await readColumnFacts(session, embedding.column)
  if (table === null || column === null) return { status: 'absent', warnings: [] }
  const state = await readInStepState(session, embedding)
  const statements = removeSql(state)
  if (statements.length === 0) return { status: 'absent', warnings: [] }
  const details = { table: table.oid, column: column.number }
  const origin = needs.onlyOurs ? await originOf(session, needs.log, ['marks added'], 'marks dropped', details) : 'ours'
  if (origin !== 'ours') {
    const warning = `What keeps ${state.label} in step ${reasonKept(origin, 'created')}.`
    loggerFrom(needs.logger).warn(warning)
    return { status: 'kept', warnings: [warning] }
  }
  assertTrusted(state)
  assertOurs(state)
  assertAllowed(table)
  const noted = { event: 'marks dropped', details: { ...details, name: state.label } } as const
  const warnings = await changeTable(session, { ...state.found.facts, table }, statements.join(';\n'), needs, noted)
  return { status: 'removed', warnings }
}

/** Refuses to drop a function that another role owns, or that another table uses. */
export function assertOurs({ side, label, target, names }: InStepState): void {
  if (side.function === null || (side.function.isOwnerTrusted && side.function.otherTables.length === 0)) return
  const why = side.function.isOwnerTrusted
    ? `is also used by ${side.function.otherTables.join(', ')}`
    : `belongs to the role ${side.function.owner}`
  const problems = [`the function ${target.schema}.${names.function} ${why}; drop it by hand`]
  throw new PgvectorMigrationError('IN_STEP_NOT_POSSIBLE', { column: label, problems })
}
