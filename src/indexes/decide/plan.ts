import { PgvectorMigrationError } from '../../core/errors.ts'
import { identifier, qualified } from '../../core/sql.ts'
import { memoryWarnings } from './advice.ts'
import { planSettings, type BuildLimits, type BuildSettings } from './memory.ts'
import { failed, fitting, planFromCatalog, refuse, type WithoutBuild } from './from-catalog.ts'
import type { ExistingIndex, IndexFacts, TableFacts } from '../look/facts.ts'
import { parameterRanges, type IndexParameters, type VectorIndex } from '../vector-index.ts'

/** What to do about an index, based on the facts. */
export type IndexPlan =
  | WithoutBuild
  /**
   * The table, or a partition of it, has no rows to train an ivfflat index on, and the caller asked to build it later.
   */
  | { readonly action: 'postpone'; readonly warnings: readonly string[] }
  /** Each partition gets its own index, and these are then attached. */
  | { readonly action: 'build partitions'; readonly table: TableFacts; readonly existing: ExistingIndex | null }
  | PlannedBuild

/** A build of one index on one table. */
export interface PlannedBuild {
  readonly action: 'build'
  readonly table: TableFacts
  /** Without blocking writes, or directly if no other session can write. */
  readonly how: 'concurrently' | 'directly'
  /** The remains of an interrupted build, to be dropped first. */
  readonly leftovers: readonly ExistingIndex[]
  /** An invalid part of a partitioned index. It cannot be dropped, so it is rebuilt in place. */
  readonly rebuilds: ExistingIndex | null
  readonly parameters: IndexParameters
  readonly rows: number
  readonly settings: BuildSettings
  readonly warnings: readonly string[]
}

/** Options of {@link planVectorIndex}: those of {@link createVectorIndex} that determine how an index is built. */
export interface PlanIndexOptions extends Pick<BuildLimits, 'workers'> {
  /**
   * The most memory that the build may use, in bytes or like '2GB'; default: the larger of maintenance_work_mem and
   * shared_buffers.
   */
  readonly maxMemory?: number | string | undefined
  /** An ivfflat index on a table without rows: `refuse`, `postpone` or `build`; default `refuse`. */
  readonly whenEmpty?: 'refuse' | 'postpone' | 'build' | undefined
}

/** The parsed limits of a build, and what to do about a table without rows. */
export interface PlanLimits extends BuildLimits {
  readonly whenEmpty?: PlanIndexOptions['whenEmpty'] | undefined
}

/** Decides what to do about an index from the facts. It reads and sends nothing. */
export function planFromFacts(facts: IndexFacts, index: VectorIndex, options: PlanLimits): IndexPlan {
  const seen = planFromCatalog(facts, index)
  if (seen.action !== 'look at rows') return seen
  const { table, equal } = seen
  // In the transaction that created the table, one statement creates the indexes of all partitions, because no other
  // session can write to them.
  if (table.kind === 'partitioned' && !table.isMadeHere) return planPartitions(facts, index, table, equal, options)
  return planBuild(facts, index, table, equal, options)
}

/** Whether the rows decide whether an index is built at all. */
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

// PostgreSQL gives a partition that is created in the meantime its index. A partition on a foreign server cannot have
// one.
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

/** Checked before anything is built, because an index on only some of the partitions is not what was requested. */
function withoutRows(
  { rows, table, emptyPartitions: partitions }: IndexFacts,
  index: VectorIndex,
  { whenEmpty }: PlanLimits,
): IndexPlan | null {
  const isEmpty = partitions.length > 0 || (table?.kind === 'partitioned' ? table.partitions.length === 0 : rows === 0)
  if (!isEmpty || !areRowsDecisive(index, { whenEmpty })) return null
  const error = new PgvectorMigrationError('INDEX_NEEDS_ROWS', { index: identifier(index.name), rows, partitions })
  if (whenEmpty !== 'postpone') return refuse(error)
  return { action: 'postpone', warnings: [`${error.message}. It was not built: build it once there are rows.`] }
}

/** Rebuilding an index keeps its parameters. */
function listsOf(rebuilds: ExistingIndex | null): number | undefined {
  const option = rebuilds?.options.find((each) => each.startsWith('lists='))
  return option === undefined ? undefined : Number(option.slice('lists='.length))
}

/** pgvector's advice: a thousand rows per list, and beyond a million rows their square root as the number of lists. */
function listsFor(rows: number): number {
  const lists = rows > 1_000_000 ? Math.sqrt(rows) : rows / 1000
  return Math.min(parameterRanges.lists.largest, Math.max(1, Math.round(lists)))
}

function blocksWriters(index: VectorIndex): PgvectorMigrationError {
  const problem = 'in a transaction it would block writes to the table until the transaction ends'
  const hint = 'Move it to its own migration that runs outside a transaction: config.transaction = false.'
  return new PgvectorMigrationError('INDEX_BUILD_FAILED', { index: identifier(index.name), problem }, { hint })
}
