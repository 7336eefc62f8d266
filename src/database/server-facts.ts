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

// They stand in queries under the caller's search path too, so everything in them is qualified.

/** SQL: the major version as a number. */
export const majorSql = `pg_catalog.current_setting('server_version_num')::integer operator(pg_catalog./) 10000`

/** SQL: why nothing can be written in this session, a {@link ReadOnlyReason}; null where it can. */
export const readOnlySql = `case when pg_catalog.pg_is_in_recovery() then 'standby'
  when pg_catalog.current_setting('transaction_read_only')::boolean then 'transaction' end`

/** SQL: whether this is the embedded database, which has one connection and no other process. */
export const isEmbeddedSql = `pg_catalog.version() operator(pg_catalog.~) '${providers.pglite.server}'`

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
export const canCheckConnectionSql = `pg_catalog.version() operator(pg_catalog.~) '(linux|darwin|bsd|apple)' and not (${isEmbeddedSql})
  and (${majorSql}) operator(pg_catalog.>=) 14`
