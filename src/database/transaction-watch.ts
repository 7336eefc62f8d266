import type { Connection } from './knex-inside.ts'

/** How a transaction ended before the code that began it ended it. */
export type EarlyEnd = 'committed' | 'rolled back'

/** Reports whether a transaction is ended from inside. */
export interface TransactionWatch {
  /** Null while the original transaction is open. */
  readonly earlyEnd: () => EarlyEnd | null
  readonly stop: () => void
}

/**
 * Notices from the server's answers that an open transaction ends, whatever sent the statement: text that our tokenizer
 * reads differently from the server, a query object of the driver, or another library on the same connection.
 */
export function watchTransaction({ connection }: Connection): TransactionWatch {
  let end: EarlyEnd | null = null
  const onComplete = ({ text }: { readonly text?: string }): void => {
    // A prepared transaction no longer belongs to its session. A failed transaction answers COMMIT with ROLLBACK.
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
