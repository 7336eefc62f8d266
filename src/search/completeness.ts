import { sqlStateOf } from '../core/errors.ts'
import { countRows, type SearchedRows } from '../database/fragment.ts'
import type { Session } from '../database/session.ts'
import { sqlState } from '../database/sqlstate.ts'
import type { VectorIndex } from '../indexes/vector-index.ts'

/** Whether a search found what it was to find. */
interface Completeness {
  readonly isComplete: boolean
  readonly warnings: readonly string[]
}

const LONGEST_COUNT = 1000

/** Counts the rows that match a search which found fewer than it was asked for, for as long as a second. */
export async function checkCompleteness(
  session: Session,
  { column, method }: VectorIndex,
  rows: SearchedRows,
  found: number,
): Promise<Completeness> {
  const { limit, offset } = rows
  if (found >= limit) return { isComplete: true, warnings: [] }
  const matching = await countBriefly(session, (trx) => countRows(trx.knex, rows, column.name, limit + offset))
  if (matching !== null && found >= matching - offset) return { isComplete: true, warnings: [] }
  const of = `Found ${found} of ${limit} rows`
  const more = method === 'hnsw' ? 'efSearch or maxScanTuples' : 'probes or maxProbes'
  const warning =
    matching === null
      ? `${of}; counting the rows that match took too long, so there may be more.`
      : `${of}, and ${matching - offset} match. Raise ${more} to find more.`
  return { isComplete: false, warnings: [warning] }
}

/** The count; null where the server does not finish it in time. */
async function countBriefly(session: Session, count: (trx: Session) => Promise<number>): Promise<number | null> {
  try {
    return await session.transaction(async (trx) => {
      const before = await trx.ask<string>(`select current_setting('statement_timeout') as state`)
      await trx.ask(timeoutSql(String(LONGEST_COUNT)))
      const counted = await count(trx)
      await trx.ask(timeoutSql(before))
      return counted
    })
  } catch (error) {
    if (sqlStateOf(error) === sqlState.queryCanceled) return null
    throw error
  }
}

function timeoutSql(value: string): string {
  return `select set_config('statement_timeout', '${value}', true) as state`
}
