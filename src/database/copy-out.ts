import { PassThrough, type Readable } from 'node:stream'

import { loadCopyStreams } from './copy-streams.ts'
import { clientOf } from './knex-inside.ts'
import { reported } from './messages.ts'
import type { Session } from './session.ts'

/**
 * Streams bytes from the server with COPY … TO STDOUT, as fast as the caller reads them. If the caller stops early, the rest
 * is skipped, or the connection closed where that takes long. That of a transaction is never closed.
 */
export async function* copyOut(session: Session, statement: string): AsyncGenerator<Buffer> {
  const through = new PassThrough()
  // An error of the COPY destroys the stream, whose reader gets it.
  const copied = copyTo(session, statement, through).catch((error: unknown) => void through.destroy(error as Error))
  try {
    yield* through as AsyncIterable<Buffer>
  } finally {
    through.destroy()
    await copied
  }
}

async function copyTo(session: Session, statement: string, target: PassThrough): Promise<void> {
  await session.hold(async ({ session: held, connection, hangUp }) => {
    const { to } = loadCopyStreams()
    await reported(clientOf(held.knex), connection, statement, { isQuestion: true }, async () => {
      const stream = to(statement)
      connection.query?.(stream)
      const isRead = await pass(stream, target)
      if (!isRead)
        await skipRest(stream, held.isInTransaction ? null : () => hangUp(new Error('the reader stopped early')))
      return { response: { command: 'COPY', rowCount: stream.rowCount, rows: [] } }
    })
  })
  target.end()
}

/** Passes everything on; false if the target was destroyed before. */
async function pass(stream: Readable, target: PassThrough): Promise<boolean> {
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    if (target.destroyed) return false
    if (!target.write(chunk)) await roomIn(target)
  }
  return true
}

function roomIn(target: PassThrough): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      target.off('drain', done).off('close', done)
      resolve()
    }
    target.on('drain', done).on('close', done)
  })
}

const LONGEST_SKIP = 1000

async function skipRest(stream: Readable, hangUp: (() => void) | null): Promise<void> {
  const skipped = skip(stream)
  if (hangUp === null) return skipped
  const timer = setTimeout(hangUp, LONGEST_SKIP)
  // After the connection was closed, the stream reports its loss.
  await skipped.catch(() => undefined)
  clearTimeout(timer)
}

async function skip(stream: Readable): Promise<void> {
  for await (const _ of stream) continue
}
