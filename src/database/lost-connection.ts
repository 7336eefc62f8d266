import type { Connection } from './knex-inside.ts'

/** Whether a connection was lost, from now on. */
export interface ConnectionWatch {
  /** Aborted as soon as the connection reports that it has ended. */
  readonly lost: AbortSignal
  readonly stop: () => void
}

/** Notices the loss of a connection by its events, also while nothing is sent on it. */
export function watchConnection(connection: Connection): ConnectionWatch {
  const controller = new AbortController()
  const onLoss = (): void => controller.abort()
  connection.on?.('end', onLoss)
  connection.on?.('error', onLoss)
  return {
    lost: controller.signal,
    stop: () => {
      connection.removeListener?.('end', onLoss)
      connection.removeListener?.('error', onLoss)
    },
  }
}
