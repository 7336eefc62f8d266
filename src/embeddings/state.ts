import { PgvectorMigrationError } from '../core/errors.ts'
import { identifier, qualified } from '../core/sql.ts'
import type { Session } from '../database/session.ts'
import { embeddingLabel, type Embedding } from './embedding.ts'
import { keyNames } from './key-sql.ts'
import { sideNames, sideTables, type SideNames } from './names.ts'
import { readSideFacts, type SideFacts, type SideTable } from './side-facts.ts'
import { readTableFacts, type TableFacts } from './table-facts.ts'
import { vectorTarget, type VectorTarget } from './target.ts'
import { functionBody, isSameTrigger, type MarkedColumn } from './trigger-sql.ts'

type SidePart = 'table' | 'column' | 'function' | 'trigger' | 'index'

/** An object that is not as it has to be for a column to be kept in step. */
export interface SideProblem {
  readonly kind: 'missing' | 'altered'
  readonly part: SidePart
  /** What it is, with its name: trigger articles__embedding__mark. */
  readonly object: string
  readonly problem: string
}

/** An embedding, and what exists of the objects that keep it in step. */
export interface InStepState {
  readonly embedding: Embedding
  readonly label: string
  readonly found: TableFacts
  readonly target: VectorTarget
  readonly names: SideNames
  /** The side tables, quoted, with their schema. */
  readonly tables: { readonly marks: string; readonly claims: string }
  readonly side: SideFacts
  readonly problems: readonly SideProblem[]
}

/** Reads what keeps an embedding in step. It writes nothing. */
export async function readInStepState(session: Session, embedding: Embedding): Promise<InStepState> {
  const { column, from, model } = embedding
  const found = await readTableFacts(session, column)
  const target = vectorTarget(session, found, column, { read: from, option: 'from', model })
  const names = sideNames(found.facts.table?.name ?? column.table, column.name)
  const table = { oid: found.facts.table?.oid ?? 0, schema: target.schema }
  const side = await readSideFacts(session, table, names)
  return {
    embedding,
    label: embeddingLabel(embedding),
    found,
    target,
    names,
    tables: sideTables(target.schema, names),
    side,
    problems: problemsOf({ target, names }, side),
  }
}

function missing(part: SidePart, name: string): SideProblem {
  return { kind: 'missing', part, object: `${part} ${name}`, problem: 'does not exist' }
}

function altered(part: SidePart, name: string, problem: string): SideProblem {
  return { kind: 'altered', part, object: `${part} ${name}`, problem }
}

/** Returns what is missing or altered; empty if the column is kept in step. */
export function problemsOf(marked: MarkedColumn, side: SideFacts): readonly SideProblem[] {
  const { target, names } = marked
  const { schema } = target
  const index = qualified(schema, names.missingIndex)
  const hash = identifier(names.hash)
  const all: (SideProblem | null)[] = [
    tableProblem(qualified(schema, names.marks), side.marks, marksColumns(target)),
    tableProblem(qualified(schema, names.claims), side.claims, claimsColumns(target)),
    side.hash === null ? missing('column', hash) : null,
    side.hash === null || side.hash === 'bytea' ? null : altered('column', hash, `is of the type ${side.hash}`),
    functionProblem(marked, side),
    triggerProblem(marked, side),
    side.missingIndex === null ? missing('index', index) : null,
    side.missingIndex?.isValid === false ? altered('index', index, 'is invalid') : null,
  ]
  return all.filter((each) => each !== null)
}

function tableProblem(
  name: string,
  existing: SideTable | null,
  columns: readonly (readonly [string, string])[],
): SideProblem | null {
  if (existing === null) return missing('table', name)
  const isSame = JSON.stringify(existing.columns) === JSON.stringify(columns)
  return isSame ? null : altered('table', name, 'has other columns than the key of the table needs')
}

function functionProblem(marked: MarkedColumn, { function: found }: SideFacts): SideProblem | null {
  const name = qualified(marked.target.schema, marked.names.function)
  if (found === null) return missing('function', name)
  const { source, isDefiner, settings, isOwnerTrusted, owner, isPublic, otherTables } = found
  if (!isOwnerTrusted) return altered('function', name, `belongs to the role ${owner}`)
  if (otherTables.length > 0) return altered('function', name, `is also used by ${otherTables.join(', ')}`)
  if (isPublic) return altered('function', name, 'can be executed by every role')
  const isSame = [true, false].some((notifies) => functionBody(marked, notifies) === source)
  const isPinned = isDefiner && settings.length === 1 && settings[0] === 'search_path=pg_catalog, pg_temp'
  return isSame && isPinned ? null : altered('function', name, 'has another definition')
}

function triggerProblem(marked: MarkedColumn, { function: called, trigger }: SideFacts): SideProblem | null {
  const name = identifier(marked.names.trigger)
  if (trigger === null) return missing('trigger', name)
  if (trigger.enabled === 'D') return altered('trigger', name, 'is disabled')
  if (trigger.enabled === 'R') return altered('trigger', name, 'fires only in replica mode')
  if (called !== null && trigger.function !== called.oid) return altered('trigger', name, 'calls another function')
  return isSameTrigger(marked, trigger.definition) ? null : altered('trigger', name, 'has another definition')
}

/** The columns of the table of marks, with their types. */
export function marksColumns(target: Pick<VectorTarget, 'key'>): readonly (readonly [string, string])[] {
  return [['seq', 'pg_catalog.int8'], ...keyColumnsOf(target), ['marked_at', 'pg_catalog.timestamptz']]
}

/** The columns of the table of claims, with their types. */
export function claimsColumns(target: Pick<VectorTarget, 'key'>): readonly (readonly [string, string])[] {
  return [
    ...keyColumnsOf(target),
    ['due_at', 'pg_catalog.timestamptz'],
    ['attempts', 'pg_catalog.int4'],
    ['holder', 'pg_catalog.uuid'],
    ['seq', 'pg_catalog.int8'],
    ['error', 'pg_catalog.text'],
  ]
}

function keyColumnsOf({ key }: Pick<VectorTarget, 'key'>): (readonly [string, string])[] {
  return keyNames(key).map((name, place) => [name, key[place]?.type ?? ''])
}

/** @throws {PgvectorMigrationError} TABLE_NOT_TRUSTED if another role controls a side table. */
export function assertTrusted({ side }: InStepState): void {
  const [distrusted] = side.distrusted
  if (distrusted === undefined) return
  const { table, reasons, remedies } = distrusted
  throw new PgvectorMigrationError('TABLE_NOT_TRUSTED', { table, reasons, remedies })
}

/**
 * Refuses to work on marks that another role controls, that are incomplete, or on rows that this role does not see.
 *
 * @throws {PgvectorMigrationError} TABLE_NOT_TRUSTED or NOT_KEPT_IN_STEP.
 */
export function assertKeptInStep(state: InStepState): void {
  assertTrusted(state)
  // Without the index, the work takes longer, but nothing is missed.
  const problems = state.problems.filter(({ part }) => part !== 'index')
  if (problems.length > 0) throw notKept(state.label, problems)
  if (!state.found.hidesRows) return
  const hidden = `row security hides rows of ${state.target.table} from the role ${state.found.role}`
  throw new PgvectorMigrationError('IN_STEP_NOT_POSSIBLE', { column: state.label, problems: [hidden] })
}

/** Returns the error for objects that are missing or altered. */
export function notKept(label: string, found: readonly SideProblem[]): PgvectorMigrationError {
  const problems = found.map(({ object, problem }) => `${object} ${problem}`)
  return new PgvectorMigrationError('NOT_KEPT_IN_STEP', { column: label, problems })
}
