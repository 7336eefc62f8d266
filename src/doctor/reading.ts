import { sqlStateOf } from '../core/errors.ts'
import type { Session } from '../database/session.ts'
import { serverMessage } from '../database/server-message.ts'
import { sqlState } from '../database/sqlstate.ts'

/** The value that was read, or why it could not be read. */
export type Reading<Value> =
  | { readonly isKnown: true; readonly value: Value }
  | { readonly isKnown: false; readonly reason: string }

const refusals = new Set<string | undefined>([
  sqlState.insufficientPrivilege,
  sqlState.lockNotAvailable,
  sqlState.queryCanceled, // by a timeout of the role
])

/** Reads in its own transaction, which an error aborts. The diagnosis then continues without that fact. */
export async function readingOf<Value>(
  session: Session,
  read: (trx: Session) => Promise<Value>,
): Promise<Reading<Value>> {
  try {
    const value = await session.transaction(
      async (trx) => {
        // A running migration may hold the lock that this needs. In a caller's transaction, the setting would remain.
        if (!session.isInTransaction) await trx.send(`set local lock_timeout = '2s'`)
        return read(trx)
      },
      { readOnly: true },
    )
    return { isKnown: true, value }
  } catch (error) {
    if (!refusals.has(sqlStateOf(error))) throw error
    return { isKnown: false, reason: serverMessage(error) }
  }
}
