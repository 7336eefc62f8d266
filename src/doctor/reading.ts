import { sqlStateOf } from '../core/errors.ts'
import { send, type Database } from '../database/queryable.ts'
import { serverMessage, sqlState } from '../database/sqlstate.ts'

/** What was read, or why it could not be. */
export type Reading<Value> =
  | { readonly isKnown: true; readonly value: Value }
  | { readonly isKnown: false; readonly reason: string }

const refusals = new Set<string | undefined>([
  sqlState.insufficientPrivilege,
  sqlState.lockNotAvailable,
  sqlState.queryCanceled, // by a timeout of the role
])

/** Reads in a transaction of its own, which a refusal ends; a diagnosis goes on without that fact. */
export async function readingOf<Value>(db: Database, read: (trx: Database) => Promise<Value>): Promise<Reading<Value>> {
  try {
    const value = await db.transaction(async (trx) => {
      // A migration that runs may hold what we look at. In a caller's transaction the setting would outlive us.
      if (db.isTransaction !== true) await send(trx, `set local lock_timeout = '2s'`)
      return read(trx)
    })
    return { isKnown: true, value }
  } catch (error) {
    if (!refusals.has(sqlStateOf(error))) throw error
    return { isKnown: false, reason: serverMessage(error) }
  }
}
