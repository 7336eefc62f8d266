import { identifier } from '../core/sql.ts'
import type { Session } from './session.ts'
import { watchConnection } from './lost-connection.ts'

/**
 * Listens on a channel until the signal aborts or the connection is lost. Behind a pooler in transaction mode, nothing
 * arrives.
 */
export async function listenOn(
  session: Session,
  channel: string,
  onNotification: () => void,
  signal: AbortSignal,
): Promise<void> {
  await session.hold(async ({ session: held, connection, discard }) => {
    const watch = watchConnection(connection)
    connection.on?.('notification', onNotification)
    try {
      await held.send(`listen ${identifier(channel)}`)
      await aborted([signal, watch.lost])
      // The connection must not go back to the pool listening.
      if (!watch.lost.aborted) await held.send(`unlisten ${identifier(channel)}`).catch(discard)
    } finally {
      watch.stop()
      connection.removeListener?.('notification', onNotification)
    }
  })
}

function aborted(signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const signal of signals) signal.removeEventListener('abort', done)
      resolve()
    }
    for (const signal of signals) signal.addEventListener('abort', done)
    if (signals.some((signal) => signal.aborted)) done()
  })
}
