import { sqlStateOf } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import { identifier, qualified } from '../../core/sql.ts'
import type { IndexFacts } from './facts.ts'
import { onlyValue } from '../../database/explain.ts'
import { conditionSql, type VectorIndex } from '../vector-index.ts'

// So many values are read in a few milliseconds, and their average is within a few percent of that of all.
const SAMPLE_ROWS = 2000
const SAMPLE_PAGES = 20

// A value in memory has a header of 16 bytes and 8 for each element; what it is sent as has one of 12.
const MORE_THAN_SENT = 4

/**
 * The bytes that a value of a sparsevec column takes in memory, as the average of a sample: how many elements are not
 * zero is up to each value, and the server's statistics know how it is stored instead. Null where all values are of one
 * length, and where none was read.
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
    // It is only about memory: whatever is in the way will be in that of the build.
    if (sqlStateOf(error) === undefined) throw error
    return null
  }
}

function sampledPercent(heapBytes: number, rows: number): number {
  const share = Math.max(SAMPLE_ROWS / Math.max(rows, 1), SAMPLE_PAGES / (heapBytes / 8192))
  return Math.min(100, 100 * share)
}
