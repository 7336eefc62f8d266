import Knex from 'knex'

import { backendsOf } from './backends.ts'
import { defaultDeadlines, within, type Deadlines } from './deadlines.ts'
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

/** Opens a connection beside that of a session. */
export function openSideConnection(
  session: Session,
  { connect, close }: Pick<Deadlines, 'connect' | 'close'> = defaultDeadlines,
): SideConnection {
  const { config, version } = clientOf(session.knex)
  const knex = Knex({
    ...config,
    // Knex asks every server whose version it does not know.
    ...(version === undefined ? {} : { version }),
    acquireConnectionTimeout: Math.min(connect, config.acquireConnectionTimeout ?? connect),
    pool: { min: 0, max: 1 },
  })
  const side = sessionOf(knex)
  return {
    session: side,
    backends: () => backendsOf(side),
    close: async () => {
      await within(
        close,
        knex.destroy().catch(() => undefined),
      )
    },
  }
}
