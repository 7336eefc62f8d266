import { setTimeout as sleep } from 'node:timers/promises'

import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../core/errors.ts'
import { hangUp, isStreaming, pendingAnswer, statementUnderway, type Connection } from './knex-inside.ts'
import { openLookout, type BackendIdentity, type Seen } from './look.ts'
import type { Terms } from './terms.ts'

const watched = new WeakSet<Connection>()
const identities = new WeakMap<Connection, BackendIdentity>()

/** Tells the watch of a connection which backend it has, as the backend reported itself. */
export function identify(connection: Connection, identity: BackendIdentity): void {
  identities.set(connection, identity)
}

/**
 * Watches a connection while it is in use, and closes it if an answer can no longer arrive; the statement that waits
 * for it then fails. Returns a function that ends the watch.
 *
 * A network may drop a connection, or stop forwarding data, without notice to either side. After a long wait for an
 * answer, a second connection checks whether the backend still works on the statement. A working backend is never
 * interrupted, and neither is one that cannot be checked.
 */
export function watchAnswers(knex: Knex, connection: Connection, terms: Terms): () => void {
  const { deadlines, signal, limit } = terms
  const isKnown = limit !== undefined || identityOf(connection).processId !== null
  if (pendingAnswer(connection) === undefined || !isKnown || watched.has(connection)) return () => undefined
  watched.add(connection)
  let ended: AbortController | null = null
  const begin = (): void => {
    if (ended !== null) return
    ended = new AbortController()
    const watch = limit === undefined ? watchBackend : watchClock
    void watch(knex, connection, terms, ended.signal).catch(() => undefined)
  }
  // Nearly every statement ends before the first check.
  const timer = setTimeout(begin, limit === undefined ? deadlines.probe : limit / 2)
  if (signal?.aborted === true) begin()
  signal?.addEventListener('abort', begin)
  return () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', begin)
    ended?.abort()
    watched.delete(connection)
  }
}

const NO_ANSWER = 'the server does not work on the statement that waits for an answer'

const HURRY_MILLISECONDS = 200
const GRACE_MILLISECONDS = 5000
const GRACE_SHARE = 6

async function watchBackend(
  knex: Knex,
  connection: Connection,
  { deadlines, signal }: Terms,
  ended: AbortSignal,
): Promise<void> {
  const grace = Math.min(GRACE_MILLISECONDS, deadlines.probe / GRACE_SHARE)
  let hurriedSince: number | null = null
  for (
    ;
    ;
    await pause(
      hurriedSince === null ? deadlines.probe : HURRY_MILLISECONDS,
      ended,
      hurriedSince === null ? signal : undefined,
    )
  ) {
    if (ended.aborted) return
    if (signal?.aborted === true) hurriedSince ??= Date.now()
    const pending = pendingAnswer(connection)
    if (typeof pending !== 'string') continue
    const lookout = openLookout(knex, identityOf(connection), deadlines)
    try {
      const isHopeless = hurriedSince !== null && Date.now() - hurriedSince > deadlines.close
      const seen = await lookout.look(statementUnderway(connection))
      // The server may wait for an application that takes its time between two parts of a stream.
      if (seen === 'reads' && isStreaming(connection)) continue
      if (!isLost(seen, isHopeless)) continue
      // An answer may be on its way.
      await pause(hurriedSince === null ? grace : Math.min(grace, HURRY_MILLISECONDS), ended)
      if (ended.aborted || pendingAnswer(connection) !== pending) continue
      giveUp(connection)
      await lookout.endBackend()
      return
    } finally {
      void lookout.close()
    }
  }
}

function identityOf(connection: Connection): BackendIdentity {
  return identities.get(connection) ?? { processId: connection.processID ?? null, startedAt: null }
}

function isLost(seen: Seen, isHopeless: boolean): boolean {
  return seen === null ? isHopeless : seen !== 'works'
}

// If every statement is short, silence is enough.
async function watchClock(_: Knex, connection: Connection, { limit = 0 }: Terms, ended: AbortSignal): Promise<void> {
  for (let before: unknown = null; ; await pause(limit / 2, ended)) {
    if (ended.aborted) return
    const pending = pendingAnswer(connection)
    if (pending !== null && pending === before) return giveUp(connection)
    before = pending
  }
}

function giveUp(connection: Connection): void {
  hangUp(
    connection,
    new PgvectorMigrationError('CONNECTION_LOST', { processId: connection.processID ?? null, reason: NO_ANSWER }),
  )
}

async function pause(milliseconds: number, ended: AbortSignal, signal?: AbortSignal): Promise<void> {
  const wake = signal === undefined ? ended : AbortSignal.any([ended, signal])
  await sleep(milliseconds, undefined, { signal: wake }).catch(() => undefined)
}
