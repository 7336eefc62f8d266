import { PgvectorMigrationError, sqlStateOf } from '../core/errors.ts'
import type { Parsed } from '../core/parse-options.ts'
import { identifier, qualified } from '../core/sql.ts'
import { assertAllowed, changeTable } from '../columns/change.ts'
import { columnLabel, readColumnFacts } from '../columns/facts.ts'
import type { Session } from '../database/session.ts'
import { serverMessage } from '../database/server-message.ts'
import { sqlState } from '../database/sqlstate.ts'
import { assertOurs } from '../embeddings/remove.ts'
import { removeSql } from '../embeddings/set-up-sql.ts'
import { assertTrusted, readInStepState } from '../embeddings/state.ts'
import { readChange, type DeclaredChange } from './change-state.ts'
import type { contractOptions } from './change-options.ts'
import { updateSql } from './registry.ts'
import { awaitUnused } from './unused.ts'

/** Drops the old column with its indexes and what kept it in step, in one transaction. Returns warnings. */
export async function contract(
  session: Session,
  declared: DeclaredChange,
  needs: Parsed<typeof contractOptions>,
): Promise<readonly string[]> {
  const state = await readChange(session, declared)
  if (state.phase === 'done') return []
  if (!state.isSwitched) {
    const problems = [`the old model is still the active one: the phase is ${state.phase}`]
    throw new PgvectorMigrationError('MODEL_CHANGE_REFUSED', { embedding: state.label, problems })
  }
  const { source, table, targetPair } = state
  const facts = await readColumnFacts(session, source.column)
  if (facts.table === null || facts.column === null) throw new Error('a change that is not done has its old column')
  assertAllowed(facts.table)
  const inStep = await readInStepState(session, source)
  assertTrusted(inStep)
  assertOurs(inStep)
  await awaitUnused(session, state, source.column.name, needs)
  const name = qualified(facts.table.schema, facts.table.name)
  const statements = [
    ...removeSql(inStep),
    // Its indexes go with it. Anything else that depends on it makes this fail.
    `alter table ${name} drop column ${identifier(source.column.name)} restrict`,
    updateSql(table, source.column.name, {
      active: targetPair,
      source: null,
      target: null,
      compared: null,
      speed: null,
    }),
  ]
  const details = { table: facts.table.oid, column: facts.column.number, name: columnLabel(source.column) }
  const noted = { event: 'column dropped', details } as const
  try {
    return await changeTable(session, { ...facts, table: facts.table }, statements.join(';\n'), needs, noted)
  } catch (error) {
    if (sqlStateOf(error) !== sqlState.dependentObjectsStillExist) throw error
    const dependents = [(error as { readonly detail?: string }).detail ?? serverMessage(error)]
    throw new PgvectorMigrationError(
      'COLUMN_IN_USE',
      { column: columnLabel(source.column), dependents },
      { cause: error },
    )
  }
}
