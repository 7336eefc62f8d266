import type { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

import { newInterruption, type Interruption } from '../core/interruption.ts'
import { loadCopyStreams } from './copy-streams.ts'
import { clientOf } from './knex-inside.ts'
import { reported } from './messages.ts'
import type { Session } from './session.ts'

/** What a COPY reads its bytes from, and what ends it early. */
export interface CopySource {
  readonly chunks: AsyncIterator<Buffer>
  readonly signal?: AbortSignal | undefined
}

/**
 * Streams bytes to the server with COPY … FROM STDIN, as fast as it reads them, and returns the number of its rows.
 *
 * It stores all rows or none. An error of the source, or the reason of the signal, is thrown unchanged.
 */
export async function copyIn(session: Session, statement: string, source: CopySource): Promise<number> {
  return session.hold(async ({ session: held, connection, hangUp }) => {
    const { from } = loadCopyStreams()
    const { response } = await reported(clientOf(held.knex), connection, statement, {}, async () => {
      source.signal?.throwIfAborted()
      const stream = from(statement)
      const watch = watchStream(stream, source.signal)
      connection.query?.(stream)
      try {
        await feed(stream, source.chunks, watch)
        return { response: { command: 'COPY', rowCount: stream.rowCount, rows: [] } }
      } catch (error) {
        if (!watch.isOver()) await giveUp(stream, error, held.terms.deadlines.close, hangUp)
        throw error
      } finally {
        watch.stop()
      }
    })
    return response.rowCount
  })
}

async function feed(stream: Writable, chunks: AsyncIterator<Buffer>, { during }: StreamWatch): Promise<void> {
  try {
    for (;;) {
      const next = await during(chunks.next())
      if (next.done === true) break
      await during(written(stream, next.value))
    }
  } catch (error) {
    // The source may still be waiting for its next row, so nothing waits for it.
    void chunks.return?.().catch(() => undefined)
    throw error
  }
  await during(finished(stream))
}

// The callback comes when the socket has room again.
function written(stream: Writable, chunk: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, (error) => (error === null || error === undefined ? resolve() : reject(error)))
  })
}

function finished(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    stream.end(() => resolve())
  })
}

interface StreamWatch extends Pick<Interruption, 'during'> {
  /** Whether the server has ended the COPY, so that there is nothing to give up. */
  readonly isOver: () => boolean
  readonly stop: () => void
}

/** Interrupts waits when the server refuses the rows, the connection is lost, or the signal aborts. */
function watchStream(stream: Writable, signal: AbortSignal | undefined): StreamWatch {
  const { interrupt, during } = newInterruption()
  let isOver = false
  stream.on('error', (error) => {
    isOver = true
    interrupt(error)
  })
  const onAbort = (): void => interrupt(signal?.reason)
  signal?.addEventListener('abort', onAbort)
  return { during, isOver: () => isOver, stop: () => signal?.removeEventListener('abort', onAbort) }
}

// The server answers a COPY that fails with an error, and then the connection is free again.
async function giveUp(
  stream: Writable,
  reason: unknown,
  milliseconds: number,
  hangUp: (reason: unknown) => void,
): Promise<void> {
  const timer = new AbortController()
  const closed = new Promise<true>((resolve) => {
    stream.once('close', () => resolve(true))
  })
  stream.destroy(new Error('the client ended the COPY'))
  const late = sleep(milliseconds, false, { signal: timer.signal }).catch(() => false)
  const isClosed = await Promise.race([closed, late])
  timer.abort()
  if (!isClosed) hangUp(reason)
}
