import { once } from 'node:events'

import { clientOf } from './knex-inside.ts'
import { watchConnection } from './lost-connection.ts'
import type { Session } from './session.ts'
import type { TransactionOptions } from './transaction.ts'

/** A transaction that stays open until it is rolled back; nothing of it is kept. */
export interface OpenTransaction {
  readonly session: Session
  /** Aborted as soon as its connection reports that it has ended. */
  readonly lost: AbortSignal
  /** Ends it; where the connection is lost, it has ended already. */
  rollBack(): Promise<void>
}

/** Opens a transaction for what lasts as long as it does: a lock, say. */
export function openTransaction(session: Session, options: TransactionOptions = {}): Promise<OpenTransaction> {
  return new Promise((resolve, reject) => {
    const end = new AbortController()
    const closed = session.transaction(
      async (trx) => {
        const { lost, stop } = watchConnection(await clientOf(trx.knex).acquireConnection())
        resolve({ session: trx, lost, rollBack })
        await once(AbortSignal.any([end.signal, lost]), 'abort')
        stop()
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
