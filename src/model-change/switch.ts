import { PgvectorMigrationError } from '../core/errors.ts'
import type { Session } from '../database/session.ts'
import type { ParsedAdvanceOptions } from './change-options.ts'
import { readChange, type ChangeState, type DeclaredChange } from './change-state.ts'
import { fill } from './fill.ts'
import { lostRows } from './lost-rows.ts'
import { updateSql } from './registry.ts'

/** Makes the new pair the one that is searched, once no search would lose a row. It takes no lock on the table. */
export async function switchModel(
  session: Session,
  declared: DeclaredChange,
  needs: Omit<ParsedAdvanceOptions, 'until'>,
): Promise<void> {
  const state = await readChange(session, declared)
  const { phase, table, targetPair, source, work } = state
  if (phase === 'contract' || phase === 'done') return
  if (phase !== 'switch')
    throw refused(state, `the phase is ${phase}: run advance first, which ends with the comparison`)
  // Rows that were given up are no work any more, and still would be lost.
  const isBehind = work === null || work.hasMissing || work.hasStale || (await lostRows(session, state)).length > 0
  if (isBehind) await drain(session, state, needs)
  await session.send(updateSql(table, source.column.name, { active: targetPair }))
}

// Rows that are added from now on are embedded by the worker, in both columns.
async function drain(session: Session, state: ChangeState, needs: Omit<ParsedAdvanceOptions, 'until'>): Promise<void> {
  let lost = await lostRows(session, state)
  do {
    const before = lost
    needs.onEvent?.({ type: 'phase', phase: 'drain' })
    await fill(session, state, needs)
    if (needs.signal?.aborted === true) throw refused(state, 'it was stopped')
    lost = before.length === 0 ? [] : await lostRows(session, state, before)
    if (lost.length > 0 && lost.length === before.length) {
      throw refused(
        state,
        `${lost.length} rows that have a vector of ${state.source.model} have none of ${state.target.model}, and searches ` +
          'would lose them: see npx knex-pgvector vectors status, and retry those that failed',
      )
    }
  } while (lost.length > 0)
}

function refused({ label }: ChangeState, problem: string): PgvectorMigrationError {
  return new PgvectorMigrationError('MODEL_CHANGE_REFUSED', { embedding: label, problems: [problem] })
}
