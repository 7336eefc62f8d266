import type { ConnectionLimit } from './connection-limit.ts'
import { within } from './deadlines.ts'
import { hangUp, isDiscarded, pendingAnswer, type Connection, type KnexClient } from './knex-inside.ts'
import { attachedTo } from './leftovers.ts'
import { sendMessage } from './messages.ts'
import { pinned } from './search-path.ts'

/** Connections that several Knex instances use one after the other. */
export interface SharedConnections {
  /** Returns a connection with these settings that is free and clean; undefined if there is none. */
  take(settings: unknown): Connection | undefined
  /** Reports a new connection, which may be kept after its use. */
  opened(connection: Connection): void
  /** Cleans a connection and keeps it for the next user. Returns false if it has to be closed. */
  keep(client: KnexClient, connection: Connection, use: SharedUse): Promise<boolean>
  /** Closes a free connection if no other one may be opened without that. */
  makeRoom(): Promise<void>
  /** Closes the free connections, and keeps no further ones. */
  close(): Promise<void>
}

/** How a connection was used. */
export interface SharedUse {
  /** The same for users that connect in the same way. */
  readonly settings: unknown
  /** A query whether sessions of this database can hold something that cleaning does not undo. */
  readonly keepsState: string
  /** Whether the answer to it may have changed. */
  readonly addsCode: boolean
  readonly end: () => Promise<void>
}

interface Free {
  readonly connection: Connection
  readonly settings: unknown
  readonly end: () => Promise<void>
}

// The memory of a backend grows with every table that it has seen.
const MOST_USES = 100
const CLEAN_MILLISECONDS = 5000

/** Creates an empty collection of connections, whose number is limited. */
export function sharedConnections(limit: ConnectionLimit): SharedConnections {
  const free: Free[] = []
  const known = new WeakMap<Connection, { readonly attached: string; uses: number }>()
  const keepingState = new Map<unknown, boolean>()
  let isClosed = false
  const endFree = async (each: Free | undefined): Promise<void> => {
    if (each === undefined) return
    try {
      await each.end().catch(() => undefined)
    } finally {
      limit.give()
    }
  }
  return {
    take: (settings) => {
      for (;;) {
        const place = free.findLastIndex((each) => each.settings === settings)
        const [found] = place === -1 ? [] : free.splice(place, 1)
        if (found === undefined) return undefined
        if (!isDiscarded(found.connection)) return found.connection
        void endFree(found)
      }
    },
    opened: (connection) => {
      known.set(connection, { attached: attachedTo(connection), uses: 0 })
    },
    keep: async (client, connection, { settings, keepsState, addsCode, end }) => {
      if (addsCode) keepingState.delete(settings)
      const about = known.get(connection)
      const isUsable = about !== undefined && ++about.uses < MOST_USES && pendingAnswer(connection) === null
      if (!isUsable || isClosed || isDiscarded(connection)) return false
      if (about.attached !== attachedTo(connection) || keepingState.get(settings) === true) return false
      try {
        if (!(await isClean(client, connection))) return false
        if (!keepingState.has(settings)) keepingState.set(settings, await keepsItsState(client, connection, keepsState))
      } catch {
        return false
      }
      // Another database may need the connection more.
      if (keepingState.get(settings) === true || isClosed || isDiscarded(connection) || limit.isWaitedFor())
        return false
      free.push({ connection, settings, end })
      return true
    },
    makeRoom: async () => {
      if (!limit.isFree()) await endFree(free.shift())
    },
    close: async () => {
      isClosed = true
      await Promise.all(free.splice(0).map(endFree))
    },
  }
}

// It fails in an open transaction. A backend that does not answer is not waited for.
async function isClean(client: KnexClient, connection: Connection): Promise<boolean> {
  const sent = sendMessage(client, connection, 'discard all', { isControl: true }).then(() => true)
  sent.catch(() => undefined)
  if ((await within(CLEAN_MILLISECONDS, sent)) === true) return true
  hangUp(connection, new Error('it could not be cleaned in time'))
  return false
}

async function keepsItsState(client: KnexClient, connection: Connection, query: string): Promise<boolean> {
  const { sql, answers } = pinned([query])
  const all = await sendMessage(client, connection, sql, { isQuestion: true })
  return all[answers[0] ?? 0]?.rows[0]?.['state'] !== false
}
