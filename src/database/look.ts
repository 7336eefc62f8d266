import type { Knex } from 'knex'

import { literal } from '../core/sql.ts'
import { within, type Deadlines } from './deadlines.ts'
import { clientOf, type Connection } from './knex-inside.ts'
import { sendMessage } from './messages.ts'
import { pinned } from './search-path.ts'
import { openSideKnex } from './side-knex.ts'

/** The backend of a connection. */
export interface BackendIdentity {
  /** Null if unknown. */
  readonly processId: number | null
  /** When it started, in seconds as the server counts them; null if unknown. */
  readonly startedAt: string | null
}

/**
 * The state of a backend: it `works`, it `reads` the rest of a statement from its client, it `waits` for the next one, or
 * it is `gone`. Null if this cannot be determined, for example without a second connection.
 */
export type Seen = 'works' | 'reads' | 'waits' | 'gone' | null

/** A second connection that observes a backend. */
export interface Lookout {
  /** Behind a pooler, where a PID has no meaning, it looks for a backend that works on this statement. */
  look(statement: string | null): Promise<Seen>
  /** Terminates the backend if its identity is certain, so that everything its session holds is released. */
  endBackend(): Promise<void>
  close(): Promise<void>
}

/** The SQL of the column for {@link BackendIdentity.startedAt}, which the backend itself runs. */
export const STARTED_AT = `(select extract(epoch from backend_start)::pg_catalog.text
  from pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()))`

const MOST_COMPARED = 10_000

// The server shows the beginning of the statement that a backend runs. A pooler with several servers may lead to a standby.
function seenBehindPooler(statement: string): string {
  return `case when pg_is_in_recovery() or not current_setting('track_activities')::boolean then null when exists (
      select from pg_stat_get_activity(null) where pid <> pg_backend_pid() and state = 'active'
        and datid = (select oid from pg_catalog.pg_database where datname = current_database())
        and starts_with(${literal(statement.slice(0, MOST_COMPARED))}, left(query, ${MOST_COMPARED}))
    ) then 'works' else 'waits' end`
}

// Between the first message of a statement and its Sync, the backend is active and waits for its client.
const READS = `coalesce(wait_event = 'ClientRead', false)`

/** Opens a second connection, on first use, to observe a backend. */
export function openLookout(
  knex: Knex,
  { processId, startedAt }: BackendIdentity,
  deadlines: Pick<Deadlines, 'connect' | 'ask' | 'close'>,
): Lookout {
  const side = openSideKnex(knex, deadlines)
  const client = clientOf(side)
  // The start time of another role's backend is not visible.
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
    look: async (statement) => {
      const seen = await ask(
        ({ processID }) => `select case when pg_backend_pid() = ${processID ?? 'null'} then coalesce(
            (select case when starts_with(state, 'idle') then 'waits' when ${READS} then 'reads' else 'works' end
              from pg_stat_get_activity(${processId}) where ${isIt}), 'gone')
          else ${statement === null ? 'null' : seenBehindPooler(statement)} end as state`,
      ).catch(() => null)
      return seen === 'works' || seen === 'waits' || seen === 'reads' || seen === 'gone' ? seen : null
    },
    endBackend: async () => {
      if (startedAt === null) return
      await ask(
        () => `select pg_terminate_backend(pid) as state from pg_stat_get_activity(${processId})
          where ${isIt} and (starts_with(state, 'idle') or ${READS})`,
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
