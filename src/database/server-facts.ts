import { providers } from '../pgvector/providers.ts'
import type { Session } from './session.ts'

/** Which server answers. */
export interface ServerFacts {
  /** As the server says it: 17.6 (Debian 17.6-1). */
  readonly version: string
  readonly major: number
  /** version(), which names forks and builds. */
  readonly description: string
}

/** SQL: the major version as a number. */
export const majorSql = `current_setting('server_version_num')::int / 10000`

/** SQL: why nothing can be written in this session, a {@link ReadOnlyReason}; null where it can. */
export const readOnlySql = `case when pg_is_in_recovery() then 'standby'
  when current_setting('transaction_read_only')::boolean then 'transaction' end`

/** SQL: whether this is the embedded database, which has one connection and no other process. */
export const isEmbeddedSql = `version() ~ '${providers.pglite.server}'`

/** The same, from what version() returned. */
export function isEmbeddedServer(description: string): boolean {
  return description.includes(providers.pglite.server)
}

/** The same, asked of the server. */
export function readIsEmbedded(session: Session): Promise<boolean> {
  return session.ask(`select to_json(${isEmbeddedSql}) as state`)
}

/**
 * SQL: whether the server can notice, while it works, that its client died (client_connection_check_interval): from
 * PostgreSQL 14, on platforms with the poll events that it takes.
 */
export const canCheckConnectionSql = `version() ~ '(linux|darwin|bsd|apple)' and not (${isEmbeddedSql})
  and ${majorSql} >= 14`
