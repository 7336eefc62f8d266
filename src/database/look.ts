import type { Knex } from 'knex'

import { literal } from '../core/sql.ts'
import { within, type Deadlines } from './deadlines.ts'
import { clientOf, type Connection } from './knex-inside.ts'
import { sendMessage } from './messages.ts'
import { pinned } from './search-path.ts'
import { openSideKnex } from './side-knex.ts'

/** The backend of a connection. */
export interface BackendIdentity {
  /** Null where it was not told. */
  readonly processId: number | null
  /** When it started, in seconds as the server counts them; null where that is not known. */
  readonly startedAt: string | null
}

/**
 * What a backend does: it `works`, it `waits` for its client, or it is `gone`. Null where that cannot be found out, as behind
 * a pooler, or where no second connection is to be had.
 */
export type Seen = 'works' | 'waits' | 'gone' | null

/** A second connection that looks at a backend. */
export interface Lookout {
  look(): Promise<Seen>
  /** Ends the backend, where it is certain which one it is: what its session holds is freed. */
  endBackend(): Promise<void>
  close(): Promise<void>
}

/** The text of a query's column for {@link BackendIdentity.startedAt}, asked by the backend itself. */
export const STARTED_AT = `(select extract(epoch from backend_start)::pg_catalog.text
  from pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()))`

/** Opens a second connection, when it is first used, to look at a backend. */
export function openLookout(
  knex: Knex,
  { processId, startedAt }: BackendIdentity,
  deadlines: Pick<Deadlines, 'connect' | 'ask' | 'close'>,
): Lookout {
  const side = openSideKnex(knex, deadlines)
  const client = clientOf(side)
  // The start of a backend that is another role's is not shown.
  const isIt = `pid = ${processId} and ${
    startedAt === null ? 'true' : `coalesce(extract(epoch from backend_start)::text = ${literal(startedAt)}, true)`
  }`
  const ask = async (query: (connection: Connection) => string): Promise<unknown> => {
    const asking = (async () => {
      const connection = await client.acquireConnection()
      try {
        const { sql, answers } = pinned([query(connection)])
        const all = await sendMessage(client, connection, sql, { isQuestion: true })
        return all[answers[0] ?? 0]?.rows[0]?.['state']
      } finally {
        await client.releaseConnection(connection)
      }
    })()
    asking.catch(() => undefined)
    return within(deadlines.connect + deadlines.ask, asking)
  }
  return {
    look: async () => {
      // Behind a pooler, or where connections go to several servers, a PID says nothing.
      const seen = await ask(
        ({
          processID,
        }) => `select case when pg_backend_pid() is distinct from ${processID ?? 'null'} then null else coalesce(
          (select case when starts_with(state, 'idle') then 'waits' else 'works' end
            from pg_stat_get_activity(${processId}) where ${isIt}), 'gone') end as state`,
      ).catch(() => null)
      return seen === 'works' || seen === 'waits' || seen === 'gone' ? seen : null
    },
    endBackend: async () => {
      if (startedAt === null) return
      await ask(
        () => `select pg_terminate_backend(pid) as state from pg_stat_get_activity(${processId})
          where ${isIt} and starts_with(state, 'idle')`,
      ).catch(() => undefined)
    },
    close: async () => {
      await within(
        deadlines.close,
        side.destroy().catch(() => undefined),
      )
    },
  }
}
