import { sqlStateOf } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import { read } from './processors.ts'

/**
 * SQL: the milliseconds of a processor that this backend has used; null if unknown, as for roles that may not read files of
 * the server. It runs in a pinned query.
 */
export const processorTimeSql = `to_json(split_part(${read('/proc/self/schedstat')}, ' ', 1)::float8 / 1e6)`

/** Returns whether the time of a processor can be read, which other sessions do not disturb. */
export async function canReadProcessorTime(session: Session): Promise<boolean> {
  // If the operating system denied it, the transaction would be aborted.
  if (session.isInTransaction) return false
  try {
    return (await session.ask<number | null>(`select ${processorTimeSql} as state`)) !== null
  } catch (error) {
    if (sqlStateOf(error) === undefined) throw error
    return false
  }
}
