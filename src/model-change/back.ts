import { PgvectorMigrationError } from '../core/errors.ts'
import type { Parsed } from '../core/parse-options.ts'
import { dropVectorColumn } from '../columns/drop.ts'
import { dropVectorIndex } from '../indexes/drop-vector-index.ts'
import type { Session } from '../database/session.ts'
import { removeInStep } from '../embeddings/remove.ts'
import { readChange, type ChangeState, type DeclaredChange } from './change-state.ts'
import type { backOptions } from './change-options.ts'
import { isValidIndex } from './valid-index.ts'
import { forgetRowSql, updateSql } from './registry.ts'
import { awaitUnused } from './unused.ts'

type Needs = Parsed<typeof backOptions>

/** Returns to the state before a phase. Returns warnings about what was kept. */
export async function goBack(session: Session, declared: DeclaredChange, needs: Needs): Promise<readonly string[]> {
  const state = await readChange(session, declared)
  if (state.phase === 'done') {
    throw new PgvectorMigrationError('MODEL_CHANGE_REFUSED', {
      embedding: state.label,
      problems: ['the old column was dropped: contract is the only step that cannot be rolled back'],
    })
  }
  if (state.registry.row === null || state.registry.row.target === null) return []
  const to = needs.to ?? lastStep(state)
  const warnings: string[] = []
  if (state.isSwitched)
    await session.send(updateSql(state.table, state.source.column.name, { active: state.sourcePair }))
  if (to === 'switch') return warnings
  // For a few seconds, other processes still search the new column.
  const current = state.isSwitched ? await readChange(session, declared) : state
  if (state.isSwitched) await awaitUnused(session, current, state.target.column.name, needs)
  warnings.push(...(await dropIndex(session, current, needs)))
  if (to === 'expand') warnings.push(...(await undoExpand(session, current, needs)))
  return warnings
}

function lastStep({ isSwitched, registry, index }: ChangeState): NonNullable<Needs['to']> {
  if (isSwitched) return 'switch'
  return isValidIndex(registry.facts, index) ? 'index' : 'expand'
}

async function dropIndex(session: Session, state: ChangeState, needs: Needs): Promise<readonly string[]> {
  const { lockTimeout, wait, logger, log, signal } = needs
  await session.send(updateSql(state.table, state.source.column.name, { compared: null }))
  if (state.inStep === null) return []
  return (await dropVectorIndex(session.knex, state.index, { lockTimeout, wait, logger, log, signal })).warnings
}

async function undoExpand(session: Session, state: ChangeState, needs: Needs): Promise<readonly string[]> {
  const { lockTimeout, wait, logger, log } = needs
  const { table, source, target, registry } = state
  const options = { lockTimeout, wait, logger, log }
  const removed = await removeInStep(session.knex, target, options)
  const dropped =
    removed.status === 'kept' ? { warnings: [] } : await dropVectorColumn(session.knex, target.column, options)
  const columns = (registry.row?.columns ?? []).filter((name) => name !== target.column.name)
  await session.send(
    columns.length === 1
      ? forgetRowSql(table, source.column.name)
      : updateSql(table, source.column.name, { source: null, target: null, compared: null, speed: null, columns }),
  )
  return [...removed.warnings, ...dropped.warnings]
}
