import { once } from 'node:events'

import type { Session } from './session.ts'
import type { TransactionOptions } from './transaction.ts'

/** A transaction that stays open until it is rolled back; nothing of it is kept. */
export interface OpenTransaction {
  readonly session: Session
  /** Ends it; where the connection is lost, it has ended already. */
  rollBack(): Promise<void>
}

/** Opens a transaction for what lasts as long as it does: a lock, say. */
export function openTransaction(session: Session, options: TransactionOptions = {}): Promise<OpenTransaction> {
  return new Promise((resolve, reject) => {
    const end = new AbortController()
    const closed = session.transaction(
      async (trx) => {
        resolve({ session: trx, rollBack })
        await once(end.signal, 'abort')
      },
      { ...options, rollBack: true },
    )
    const rollBack = async (): Promise<void> => {
      end.abort()
      await closed.catch(() => undefined)
    }
    closed.catch(reject)
  })
}
