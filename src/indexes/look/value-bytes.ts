import { sqlStateOf } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import { identifier, qualified } from '../../core/sql.ts'
import type { IndexFacts } from './facts.ts'
import { onlyValue } from '../../database/explain.ts'
import { conditionSql, type VectorIndex } from '../vector-index.ts'

// Reading this many values takes a few milliseconds, and their average is within a few percent of that of all.
const SAMPLE_ROWS = 2000
const SAMPLE_PAGES = 20

// In memory, a value has a header of 16 bytes and 8 for each element. Its wire format has a header of 12.
const MORE_THAN_SENT = 4

/**
 * Returns the average bytes of a sparsevec value in memory, from a sample. Each value has its own number of non-zero
 * elements, and the server's statistics only know its stored size. Null if all values have the same length, or if none
 * was read.
 */
export async function measureValueBytes(
  session: Session,
  index: VectorIndex,
  { table, column, extension, rows }: Pick<IndexFacts, 'table' | 'column' | 'extension' | 'rows'>,
): Promise<number | null> {
  const isMeasured = index.method === 'hnsw' && column?.type.startsWith('sparsevec(') === true && column.isExtensionType
  if (!isMeasured || table === null || extension === null || table.heapBytes === 0) return null
  const condition = conditionSql(index)
  const name = identifier(index.column.name)
  try {
    const [answer] = await session.inRolledBackTransaction([
      `select pg_catalog.avg(pg_catalog.octet_length(sent)) as state from (
        select ${qualified(extension.schema, 'sparsevec_send')}(${name}) as sent
        from ${qualified(table.schema, table.name)} tablesample pg_catalog.system (${sampledPercent(table.heapBytes, rows)})
        where ${name} is not null${condition === null ? '' : ` and ${condition}`}
        limit ${SAMPLE_ROWS}
      ) sample`,
    ])
    const average = onlyValue(answer)
    return average === null ? null : Math.ceil(Number(average) + MORE_THAN_SENT)
  } catch (error) {
    // This only concerns memory. The build will report the same problem.
    if (sqlStateOf(error) === undefined) throw error
    return null
  }
}

function sampledPercent(heapBytes: number, rows: number): number {
  const share = Math.max(SAMPLE_ROWS / Math.max(rows, 1), SAMPLE_PAGES / (heapBytes / 8192))
  return Math.min(100, 100 * share)
}
