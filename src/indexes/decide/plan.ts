import { PgvectorMigrationError } from '../../core/errors.ts'
import { identifier, qualified } from '../../core/sql.ts'
import { memoryWarnings } from './advice.ts'
import { planSettings, type BuildLimits, type BuildSettings } from './memory.ts'
import { failed, fitting, planFromCatalog, refuse, type WithoutBuild } from './from-catalog.ts'
import type { ExistingIndex, IndexFacts, TableFacts } from '../look/facts.ts'
import { parameterRanges, type IndexParameters, type VectorIndex } from '../vector-index.ts'

/** What is to be done about an index, from what is there. */
export type IndexPlan =
  | WithoutBuild
  /** There are no rows for an ivfflat index to learn from, in the table or a partition of it, and it was said to build it later. */
  | { readonly action: 'postpone'; readonly warnings: readonly string[] }
  /** Each partition gets its own, which are then put together. */
  | { readonly action: 'build partitions'; readonly table: TableFacts; readonly existing: ExistingIndex | null }
  | PlannedBuild

/** A build of one index on one table. */
export interface PlannedBuild {
  readonly action: 'build'
  readonly table: TableFacts
  /** Beside its writers, or at once where there can be none. */
  readonly how: 'concurrently' | 'directly'
  /** What an interrupted build left, to be dropped before. */
  readonly leftovers: readonly ExistingIndex[]
  /** Invalid and part of a partitioned index, which keeps it from being dropped: it is rebuilt in its place. */
  readonly rebuilds: ExistingIndex | null
  readonly parameters: IndexParameters
  readonly rows: number
  readonly settings: BuildSettings
  readonly warnings: readonly string[]
}

/** Options of {@link planVectorIndex}: those of {@link createVectorIndex} that decide how an index is built. */
export interface PlanIndexOptions extends Pick<BuildLimits, 'workers'> {
  /** The most memory the build may use, in bytes or like '2GB'; default the larger of maintenance_work_mem and shared_buffers. */
  readonly maxMemory?: number | string | undefined
  /** What to do about an ivfflat index on a table without rows; default refuse. */
  readonly whenEmpty?: 'refuse' | 'postpone' | 'build' | undefined
}

/** What a build may use, and what it does about a table without rows, once it is parsed. */
export interface PlanLimits extends BuildLimits {
  readonly whenEmpty?: PlanIndexOptions['whenEmpty'] | undefined
}

/** Decides what is to be done about an index, from what is there; nothing is read or sent here. */
export function planFromFacts(facts: IndexFacts, index: VectorIndex, options: PlanLimits): IndexPlan {
  const seen = planFromCatalog(facts, index)
  if (seen.action !== 'look at rows') return seen
  const { table, equal } = seen
  // Within its own transaction one statement makes the indexes of all partitions, because nobody can be writing to them.
  if (table.kind === 'partitioned' && !table.isMadeHere) return planPartitions(facts, index, table, equal, options)
  return planBuild(facts, index, table, equal, options)
}

/** Whether it depends on the rows whether an index is built at all. */
export function areRowsDecisive({ method }: VectorIndex, { whenEmpty }: PlanLimits): boolean {
  return method === 'ivfflat' && whenEmpty !== 'build'
}

function planBuild(
  facts: IndexFacts,
  index: VectorIndex,
  table: TableFacts,
  equal: readonly ExistingIndex[],
  options: PlanLimits,
): IndexPlan {
  const { rows } = facts
  const lacking = withoutRows(facts, index, options)
  if (lacking !== null) return lacking
  if (facts.isInTransaction && !table.isMadeHere && rows > 0) return refuse(blocksWriters(index))
  const rebuilds = equal.find(({ isValid, parent }) => !isValid && parent !== null) ?? null
  const lists = index.parameters.lists ?? listsOf(rebuilds) ?? listsFor(rows)
  const parameters = index.method === 'ivfflat' ? { lists } : index.parameters
  const settings = planSettings(facts, table, index, parameters.lists, options)
  return {
    action: 'build',
    table,
    how: facts.isInTransaction ? 'directly' : 'concurrently',
    leftovers: equal.filter(({ isValid, parent }) => !isValid && parent === null),
    rebuilds,
    parameters,
    rows,
    settings,
    warnings: memoryWarnings(index, rows, settings),
  }
}

// A partition that is made meanwhile gets its index from PostgreSQL, and one of a foreign server can have none.
function planPartitions(
  facts: IndexFacts,
  index: VectorIndex,
  table: TableFacts,
  equal: readonly ExistingIndex[],
  options: PlanLimits,
): IndexPlan {
  const foreign = table.partitions.find(({ isForeign }) => isForeign)
  if (foreign !== undefined) {
    return refuse(failed(index, `the partition ${qualified(foreign.schema, foreign.name)} is on a foreign server`))
  }
  if (facts.isInTransaction) return refuse(blocksWriters(index))
  const lacking = withoutRows(facts, index, options)
  if (lacking !== null) return lacking
  const candidates = fitting(facts, equal)
  const existing = candidates.find(({ name }) => name === index.name) ?? candidates[0] ?? null
  return { action: 'build partitions', table, existing }
}

/** Before anything is built, because an index of some partitions and not of others is not what was asked for. */
function withoutRows(
  { rows, table, emptyPartitions: partitions }: IndexFacts,
  index: VectorIndex,
  { whenEmpty }: PlanLimits,
): IndexPlan | null {
  const isEmpty = partitions.length > 0 || (table?.kind === 'partitioned' ? table.partitions.length === 0 : rows === 0)
  if (!isEmpty || !areRowsDecisive(index, { whenEmpty })) return null
  const error = new PgvectorMigrationError('INDEX_NEEDS_ROWS', { index: identifier(index.name), rows, partitions })
  if (whenEmpty !== 'postpone') return refuse(error)
  return { action: 'postpone', warnings: [`${error.message}. It was not built: build it when the rows are there.`] }
}

/** Rebuilding an index leaves its parameters as they are. */
function listsOf(rebuilds: ExistingIndex | null): number | undefined {
  const option = rebuilds?.options.find((each) => each.startsWith('lists='))
  return option === undefined ? undefined : Number(option.slice('lists='.length))
}

/** pgvector's advice: a thousand rows in a list, and beyond a million rows the square root of them. */
function listsFor(rows: number): number {
  const lists = rows > 1_000_000 ? Math.sqrt(rows) : rows / 1000
  return Math.min(parameterRanges.lists.largest, Math.max(1, Math.round(lists)))
}

function blocksWriters(index: VectorIndex): PgvectorMigrationError {
  const problem = 'in a transaction it would keep every writer of the table waiting until the end of the transaction'
  const hint = 'Put it into a migration of its own that runs outside a transaction: config.transaction = false.'
  return new PgvectorMigrationError('INDEX_BUILD_FAILED', { index: identifier(index.name), problem }, { hint })
}
