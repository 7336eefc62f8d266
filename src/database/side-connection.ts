import Knex from 'knex'

import { backendsOf } from './backends.ts'
import { clientOf } from './knex-inside.ts'
import { sessionOf, type Session } from './session.ts'

/** A second connection to the same database, beside that of a session; it connects when it is first used. */
export interface SideConnection {
  readonly session: Session
  /** The backend PID of the connection, once it is open. */
  backends(): readonly number[]
  /** Hangs up; what is still running on it is not waited for. */
  close(): Promise<void>
}

const CLOSING_MILLISECONDS = 5000

/** Opens a connection beside that of a session. */
export function openSideConnection(session: Session): SideConnection {
  const { config, version } = clientOf(session.knex)
  // Knex asks every server whose version it does not know.
  const knex = Knex({ ...config, ...(version === undefined ? {} : { version }), pool: { min: 0, max: 1 } })
  const side = sessionOf(knex)
  return {
    session: side,
    backends: () => backendsOf(side),
    close: async () => {
      const closing = new AbortController()
      const timer = setTimeout(() => closing.abort(), CLOSING_MILLISECONDS)
      const late = new Promise<void>((resolve) => {
        closing.signal.addEventListener('abort', () => resolve())
      })
      await Promise.race([knex.destroy().catch(() => undefined), late])
      clearTimeout(timer)
    },
  }
}
