import { sqlStateOf } from '../core/errors.ts'
import type { Session } from '../database/session.ts'
import { serverMessage } from '../database/server-message.ts'
import { sqlState } from '../database/sqlstate.ts'

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
export async function readingOf<Value>(
  session: Session,
  read: (trx: Session) => Promise<Value>,
): Promise<Reading<Value>> {
  try {
    const value = await session.transaction(async (trx) => {
      // A migration that runs may hold what we look at. In a caller's transaction the setting would outlive us.
      if (!session.isInTransaction) await trx.send(`set local lock_timeout = '2s'`)
      return read(trx)
    })
    return { isKnown: true, value }
  } catch (error) {
    if (!refusals.has(sqlStateOf(error))) throw error
    return { isKnown: false, reason: serverMessage(error) }
  }
}
