import { once } from 'node:events'

import { clientOf } from './knex-inside.ts'
import { watchConnection } from './lost-connection.ts'
import type { Session } from './session.ts'
import type { TransactionOptions } from './transaction.ts'

/** A transaction that stays open until it is rolled back. It never commits. */
export interface OpenTransaction {
  readonly session: Session
  /** Aborts as soon as its connection reports that it has ended. */
  readonly lost: AbortSignal
  /** Rolls it back. If the connection is lost, it has already ended. */
  rollBack(): Promise<void>
}

/** Opens a transaction for something that lasts as long, such as a lock. */
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
