import { PgvectorMigrationError } from '../core/errors.ts'
import { parseOptions } from '../core/parse-options.ts'
import { assertAllowed, changeTable } from '../columns/change.ts'
import { loggerFrom } from '../database/logger.ts'
import { type Database, type Session, sessionOf } from '../database/session.ts'
import { numbersOf } from '../extension/log-change.ts'
import { assertEmbedding, type Embedding } from './embedding.ts'
import { buildMissingIndex } from './missing-index.ts'
import { limitsOf, reasonsAgainst } from './refusals.ts'
import { setUpOptions, type SetUpInStepOptions, type SetUpInStepResult } from './set-up-options.ts'
import { setUpSql } from './set-up-sql.ts'
import { readSetupFacts } from './setup-facts.ts'
import { assertTrusted, notKept, readInStepState, type InStepState } from './state.ts'
import { functionBody } from './trigger-sql.ts'

/**
 * Creates what keeps the vectors of a column in step with their rows: two side tables, a trigger, a column for a hash, and
 * an index of the rows without a vector. What exists is verified, and what was altered is replaced.
 *
 * The table is locked for a moment. Other sessions wait behind that lock for at most `lockTimeout`. Outside a
 * transaction, the index is built without blocking writes.
 *
 * @example await setUpInStep(knex, articles)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, RELATION_NOT_FOUND, COLUMN_DIFFERS, IN_STEP_NOT_POSSIBLE,
 * TABLE_NOT_TRUSTED, TABLE_BUSY or INSUFFICIENT_PRIVILEGE.
 */
export async function setUpInStep(
  db: Database,
  embedding: Embedding,
  options: SetUpInStepOptions = {},
): Promise<SetUpInStepResult> {
  assertEmbedding(embedding)
  const needs = parseOptions(setUpOptions, options)
  const session = sessionOf(db)
  const logger = loggerFrom(needs.logger)
  const state = await readInStepState(session, embedding)
  const { found, target, names, label, side } = state
  const table = found.facts.table
  if (table === null) throw new Error('the state of a table that does not exist is not read')
  const setup = await readSetupFacts(session, table.oid, names.trigger)
  assertTrusted(state)
  const problems = [...reasonsAgainst(found, setup, target), ...foreignObjects(state)]
  if (problems.length > 0) throw new PgvectorMigrationError('IN_STEP_NOT_POSSIBLE', { column: label, problems })
  const isNotified = side.function !== null && side.function.source === functionBody(state, true)
  const isDone = state.problems.length === 0 && isNotified === needs.notify
  const warnings = [...limitsOf(setup, target, label)]
  if (!isDone) {
    assertAllowed(table)
    if (state.problems.some(({ part }) => part !== 'index') || isNotified !== needs.notify) {
      const event = {
        event: 'marks added',
        details: { name: label },
        computedDetails: numbersOf(table.schema, table.name, target.column.name),
      } as const
      const statement = setUpSql(state, needs.notify).join(';\n')
      warnings.push(...(await changeTable(session, { ...found.facts, table }, statement, needs, event)))
    }
    if (state.problems.some(({ part }) => part === 'index')) {
      await buildMissingIndex(session, state, needs, logger)
    }
    await assertDone(session, embedding)
  }
  for (const warning of limitsOf(setup, target, label)) logger.warn(warning)
  return { status: isDone ? 'kept' : 'set up', warnings }
}

/**
 * Refuses a table of which no column can be kept in step, or that this role may not change.
 *
 * @throws {PgvectorMigrationError} IN_STEP_NOT_POSSIBLE or INSUFFICIENT_PRIVILEGE.
 */
export async function assertPossible(session: Session, embedding: Embedding): Promise<void> {
  const { found, target, names, label } = await readInStepState(session, embedding)
  const table = found.facts.table
  if (table === null) throw new Error('the state of a table that does not exist is not read')
  const problems = reasonsAgainst(found, await readSetupFacts(session, table.oid, names.trigger), target)
  if (problems.length > 0) throw new PgvectorMigrationError('IN_STEP_NOT_POSSIBLE', { column: label, problems })
  assertAllowed(table)
}

// Objects of these names that are not ours are never replaced.
function foreignObjects({ side, problems }: InStepState): readonly string[] {
  const isForeign = side.function !== null && (!side.function.isOwnerTrusted || side.function.otherTables.length > 0)
  return problems
    .filter(({ kind }) => kind === 'altered')
    .filter(({ part }) => part === 'table' || part === 'column' || (part === 'function' && isForeign))
    .map(({ object, problem }) => `the ${object} ${problem}; drop or rename it`)
}

async function assertDone(session: Session, embedding: Embedding): Promise<void> {
  const { label, problems } = await readInStepState(session, embedding)
  if (problems.length > 0) throw notKept(label, problems)
}
