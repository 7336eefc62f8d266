import { backendsOf } from './backends.ts'
import { within, type Deadlines } from './deadlines.ts'
import { busyConnectionsOf, hangUp } from './knex-inside.ts'
import { sessionOf, type Session } from './session.ts'
import { openSideKnex } from './side-knex.ts'

/**
 * A second connection to the database of a session, which connects on first use. Its statements are short. If one is
 * not answered in time, the connection is given up (CONNECTION_LOST).
 */
export interface SideConnection {
  readonly session: Session
  /** Returns the backend PID of the connection once it is open. */
  backends(): readonly number[]
  /** Closes the connection without waiting for a running statement. */
  close(): Promise<void>
}

/** Opens a second connection to the database of a session. */
export function openSideConnection(session: Session, deadlines: Deadlines = session.terms.deadlines): SideConnection {
  const knex = openSideKnex(session.knex, deadlines)
  const side = sessionOf(knex).withTerms({ deadlines, limit: deadlines.ask })
  return {
    session: side,
    backends: () => backendsOf(side),
    close: async () => {
      for (const connection of busyConnectionsOf(knex)) hangUp(connection, new Error('It was closed'))
      await within(
        deadlines.close,
        knex.destroy().catch(() => undefined),
      )
    },
  }
}
