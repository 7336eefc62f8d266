import { PgvectorMigrationError } from '../core/errors.ts'
import { identifier } from '../core/sql.ts'
import { tableOf } from '../columns/column.ts'
import type { Session } from '../database/session.ts'
import { embeddingLabel, type Embedding } from '../embeddings/embedding.ts'
import { isSameKey, keyColumns, keyNames } from '../embeddings/key-sql.ts'
import { readInStepState, type InStepState } from '../embeddings/state.ts'
import { isValidIndex } from './valid-index.ts'
import { declaredIndex, pairOf, storedPair, type StoredPair } from './pair.ts'
import { phaseOf, type Phase } from './phase.ts'
import { readLostTables, readRegistry, registryOf, type RegistryState } from './registry.ts'
import type { VectorIndex } from '../indexes/vector-index.ts'

/** A change of model, as it was declared. */
export interface DeclaredChange {
  /** The embedding as it was before the change. */
  readonly source: Embedding
  /** The same embedding in the new column. */
  readonly target: Embedding
  /** The target's index; its metric may be that of the source, which only the database knows. */
  readonly wanted: Omit<StoredPair, 'metric'> & { readonly metric?: StoredPair['metric'] | undefined }
}

/** A change of model, and what exists of it. */
export interface ChangeState extends DeclaredChange {
  readonly label: string
  readonly table: NonNullable<RegistryState['facts']['table']>
  readonly registry: RegistryState
  /** The source as it is stored, or would be. */
  readonly sourcePair: StoredPair
  readonly targetPair: StoredPair
  readonly index: VectorIndex
  /** What keeps the target in step; null if its column does not exist. */
  readonly inStep: InStepState | null
  readonly work: RemainingWork | null
  readonly isSwitched: boolean
  readonly phase: Phase
}

/** Whether rows still need a vector of the new model. */
interface RemainingWork {
  readonly hasMissing: boolean
  readonly hasStale: boolean
}

/**
 * Reads a change of model: the registry for what was decided, and the catalog for what exists.
 *
 * @throws {PgvectorMigrationError} RELATION_NOT_FOUND, TABLE_NOT_TRUSTED, INSUFFICIENT_PRIVILEGE or
 * MODEL_CHANGE_REFUSED if the registry has another change of this embedding.
 */
export async function readChange(session: Session, declared: DeclaredChange): Promise<ChangeState> {
  const { source, target, wanted } = declared
  const label = embeddingLabel(source)
  const registry = await readRegistry(session, source.column)
  const { facts, row } = registry
  if (facts.table === null) {
    throw new PgvectorMigrationError('RELATION_NOT_FOUND', { name: tableOf(source.column), kind: 'table' })
  }
  assertUsable(registry)
  if (row === null) await assertNotRenamed(session, label, declared, registry)
  const found = pairOf(source.column, { column: source.column.name, model: source.model }, facts)
  const isDone = row !== null && row.target === null && row.active.column === target.column.name
  if (found === null && !isDone) {
    throw new PgvectorMigrationError('RELATION_NOT_FOUND', { name: label, kind: 'column' })
  }
  const sourcePair =
    row?.source ?? (isDone || row === null ? null : row.active) ?? (found === null ? null : storedPair(found))
  const metric = wanted.metric ?? sourcePair?.metric ?? 'cosine'
  const targetPair = row?.target ?? (isDone ? row.active : { ...wanted, metric })
  assertSameChange(label, declared, registry)
  const exists = facts.columns.some(({ name }) => name === target.column.name)
  const inStep = exists ? await readInStepState(session, target) : null
  const isExpanded = inStep !== null && inStep.problems.length === 0
  const work = isExpanded ? await readWork(session, inStep) : null
  const isSwitched = row !== null && row.active.column === target.column.name
  const index = declaredIndex(target.column, targetPair)
  const phase = phaseOf({
    isBegun: row !== null && row.target !== null,
    isExpanded,
    hasMissing: work?.hasMissing ?? true,
    hasStale: work?.hasStale ?? false,
    hasIndex: isValidIndex(facts, index),
    isCompared: row !== null && row.compared !== null,
    isSwitched,
  })
  return {
    ...declared,
    label,
    table: facts.table,
    registry,
    sourcePair: sourcePair ?? targetPair,
    targetPair,
    index,
    inStep,
    work,
    isSwitched,
    phase,
  }
}

function assertUsable({ facts: { registry, table, role } }: RegistryState): void {
  if (registry === null || table === null) return
  if (registry.distrust !== null) {
    const { table: name, reasons, remedies } = registry.distrust
    throw new PgvectorMigrationError('TABLE_NOT_TRUSTED', { table: name, reasons, remedies })
  }
  if (!registry.canRead) {
    throw new PgvectorMigrationError('INSUFFICIENT_PRIVILEGE', { statement: `SELECT from ${registryOf(table)}`, role })
  }
}

// The registry and the side tables know the table by its name.
async function assertNotRenamed(
  session: Session,
  label: string,
  { source, target }: DeclaredChange,
  { facts: { registry, table } }: RegistryState,
): Promise<void> {
  if (registry === null || table === null) return
  const names = await readLostTables(session, table, [source.column.name, target.column.name])
  const problems = names.map(
    (name) =>
      `the registry has a running change of the table ${name}, which does not exist: if it was renamed, rename it back ` +
      'until the change is contracted',
  )
  if (problems.length > 0) throw new PgvectorMigrationError('MODEL_CHANGE_REFUSED', { embedding: label, problems })
}

function assertSameChange(label: string, { source, target }: DeclaredChange, { row }: RegistryState): void {
  if (row === null) return
  const { active, target: running } = row
  const problems = [
    ...(running !== null && (running.column !== target.column.name || running.model !== target.model)
      ? [`the registry has another change, to the model ${running.model} in the column ${running.column}`]
      : []),
    ...(running === null && active.column === source.column.name && active.model !== source.model
      ? [`the vectors of ${label} are of the model ${active.model}, not of ${source.model}`]
      : []),
    ...(running === null && active.column !== source.column.name && active.column !== target.column.name
      ? [`the embedding is searched by the column ${active.column} with the model ${active.model} now`]
      : []),
    ...(running === null && active.column === target.column.name && active.model !== target.model
      ? [`the column ${active.column} has vectors of the model ${active.model}`]
      : []),
  ]
  if (problems.length > 0) throw new PgvectorMigrationError('MODEL_CHANGE_REFUSED', { embedding: label, problems })
}

// Each of them ends at the first row that it finds. Rows that were given up do not keep a change from going on.
function readWork(session: Session, { target, tables }: InStepState): Promise<RemainingWork> {
  const { from, alias, column, key } = target
  const isMissing = `${alias}.${identifier(column.name)} is null`
  const isGivenUp = `c.due_at operator(pg_catalog.=) 'infinity'::pg_catalog.timestamptz`
  const isClaimed = isSameKey(key, keyNames(key, 'c'), keyColumns(key, alias))
  const some = (condition: string): string => `exists (select from ${from} as ${alias} where ${condition})`
  return session.askAsCaller<RemainingWork>(`select pg_catalog.json_build_object(
    'hasMissing', ${some(`${isMissing} and not exists (select from ${tables.claims} as c where ${isClaimed} and ${isGivenUp})`)},
    'hasStale', exists (select from ${tables.marks})) as state`)
}
