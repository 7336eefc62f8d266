import type { Connection } from './knex-inside.ts'

/** How a transaction ended before whoever began it ended it. */
export type EarlyEnd = 'committed' | 'rolled back'

/** Whether a transaction was ended from inside, from now on. */
export interface TransactionWatch {
  /** Null while the transaction that was open at first is open. */
  readonly earlyEnd: () => EarlyEnd | null
  readonly stop: () => void
}

/**
 * Notices in what the server answers that an open transaction ends, however the end was sent: as text that no tokenizer
 * reads as the server does, in a query object of the driver, by another library on the same connection.
 */
export function watchTransaction({ connection }: Connection): TransactionWatch {
  let end: EarlyEnd | null = null
  const onComplete = ({ text }: { readonly text?: string }): void => {
    // A prepared transaction is no longer in the hands of its session. A failed one answers COMMIT with ROLLBACK.
    if (text === 'COMMIT' || text === 'PREPARE TRANSACTION') end = 'committed'
  }
  const onReady = ({ status }: { readonly status?: string }): void => {
    if (status === 'I') end ??= 'rolled back'
  }
  connection?.on?.('commandComplete', onComplete)
  connection?.on?.('readyForQuery', onReady)
  return {
    earlyEnd: () => end,
    stop: () => {
      connection?.removeListener?.('commandComplete', onComplete)
      connection?.removeListener?.('readyForQuery', onReady)
    },
  }
}
