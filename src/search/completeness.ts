import type { Knex } from 'knex'

import { sqlStateOf } from '../core/errors.ts'
import { countRows, exactQuery, type Ordering, type SearchedRows } from '../database/fragment.ts'
import type { Session } from '../database/session.ts'
import { sqlState } from '../database/sqlstate.ts'
import { decideShort, describeShort, EXACT_ROWS, type ShortSearch } from './decide-short.ts'

/** A search as it was sent, and how the index was searched. */
export interface Searched extends Pick<ShortSearch, 'method' | 'version' | 'iterativeScan'> {
  readonly rows: SearchedRows
  /** The order by the exact distance. */
  readonly exact: () => Ordering
  /** The column of the vectors. */
  readonly column: string
}

/** What a search found in the end. */
interface Completed {
  readonly rows: readonly unknown[]
  readonly isComplete: boolean
  readonly warnings: readonly string[]
}

const LONGEST = '1s'

/**
 * Completes a result that is shorter than its limit: counts the rows that match and, where they are few, compares them one
 * by one. Each takes a second at most.
 */
export async function completeRows(session: Session, search: Searched, found: readonly unknown[]): Promise<Completed> {
  const { rows, exact, column } = search
  const { limit, offset } = rows
  if (found.length >= limit) return { rows: found, isComplete: true, warnings: [] }
  const most = Math.max(EXACT_ROWS, limit + offset) + 1
  const matching = await briefly(session, (knex) => countRows(knex, rows, column, most))
  const short: ShortSearch = { ...search, found: found.length, limit, offset, matching }
  const verdict = decideShort(short)
  if (verdict === 'complete') return { rows: found, isComplete: true, warnings: [] }
  const all =
    verdict === 'exact' ? await briefly(session, (knex) => sent(exactQuery(knex, rows, exact(), column))) : null
  if (all !== null) return { rows: all, isComplete: true, warnings: [] }
  return { rows: found, isComplete: false, warnings: [describeShort(short)] }
}

async function sent(query: Knex.QueryBuilder): Promise<readonly unknown[]> {
  return (await query) as readonly unknown[]
}

/** Returns the answer to a query; null if the server does not finish it in time. */
async function briefly<Result>(session: Session, query: (knex: Knex) => Promise<Result>): Promise<Result | null> {
  try {
    return await session.transaction(
      async (trx) => {
        const before = await trx.ask<string>(shorterTimeoutSql)
        const result = await query(trx.knex)
        await trx.ask(`select set_config('statement_timeout', '${before}', true) as state`)
        return result
      },
      { readOnly: 'as set' },
    )
  } catch (error) {
    if (sqlStateOf(error) === sqlState.queryCanceled) return null
    throw error
  }
}

// A limit of the caller's that is stricter stays.
const shorterTimeoutSql = `
  select json_build_object('before', before, 'set', set_config('statement_timeout',
    case when before::interval > '0' and before::interval < '${LONGEST}' then before else '${LONGEST}' end, true)
  ) ->> 'before' as state
  from (select current_setting('statement_timeout') as before) as setting`
