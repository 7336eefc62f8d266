import { PgvectorMigrationError, sqlStateOf } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import { identifier, qualified } from '../../core/sql.ts'
import { serverMessage } from '../../database/server-message.ts'
import { valueBytes } from '../../pgvector/graph-memory.ts'
import type { CatalogFacts, TableFacts } from './facts.ts'
import { explainedPlan } from '../../database/explain.ts'
import { conditionSql, type VectorIndex } from '../vector-index.ts'

// Counting this many bytes takes a few milliseconds. Beyond that, the planner's estimate is good enough.
const COUNTED_BYTES = 16 * 1024 * 1024

/**
 * Returns the number of rows that the index will contain. It counts if the table is small or was never analyzed, and
 * otherwise uses the planner's estimate. If row security hides rows, it estimates from the size of the table.
 */
export async function countRows(
  session: Session,
  index: VectorIndex,
  { table, column, extension }: Pick<CatalogFacts, 'table' | 'column' | 'extension'>,
): Promise<number> {
  if (table === null || column === null || extension === null) return 0
  // A partitioned table stores nothing itself. Its index is built in one step only if the table is new.
  if (table.heapBytes === 0 && !(table.kind === 'partitioned' && table.isMadeHere)) return 0
  if (table.hidesRows) return expectedRows(table, index)
  const condition = conditionSql(index)
  const rows = [
    `from ${qualified(table.schema, table.name)} where ${identifier(index.column.name)} is not null`,
    ...(condition === null ? [] : [`and ${condition}`]),
  ].join(' ')
  try {
    if (table.isAnalysed && table.heapBytes > COUNTED_BYTES) return await estimate(session, rows)
    return await session.askAsCaller<number>(`select pg_catalog.to_json(pg_catalog.count(*)) as state ${rows}`)
  } catch (error) {
    // The condition is what fails here, and the build would fail with it too.
    if (condition === null || sqlStateOf(error) === undefined) throw error
    const details = { index: identifier(index.name), problem: serverMessage(error) }
    throw new PgvectorMigrationError('INDEX_BUILD_FAILED', details, { cause: error })
  }
}

async function estimate(session: Session, rows: string): Promise<number> {
  return explainedPlan(await session.askAsCaller(`explain (format json) select ${rows}`))['Plan Rows']
}

// The minimum size of a row without its vector: its header, its line pointer, and a number.
const ROW_BYTES = 36

/** Returns at least one if the table has pages, so that no session is blocked in the belief that it has no rows. */
function expectedRows({ expectedRows: expected, totalBytes }: TableFacts, { column }: VectorIndex): number {
  // A sparsevec may have no elements.
  const value = column.type === 'sparsevec' ? 0 : valueBytes[column.type](column.dimensions ?? 0)
  return Math.max(1, expected ?? Math.round(totalBytes / (ROW_BYTES + value)))
}
