import { providers } from '../pgvector/providers.ts'
import type { Session } from './session.ts'

/** The server that answers. */
export interface ServerFacts {
  /** As the server reports it: 17.6 (Debian 17.6-1). */
  readonly version: string
  readonly major: number
  /** The result of version(), which names forks and builds. */
  readonly description: string
}

// These are also used in queries under the caller's search path, so everything in them is qualified.

/** SQL: the major version as a number. */
export const majorSql = `pg_catalog.current_setting('server_version_num')::integer operator(pg_catalog./) 10000`

/** SQL: whether this is the embedded database, which has one connection and no other process. */
export const isEmbeddedSql = `pg_catalog.version() operator(pg_catalog.~) '${providers.pglite.server}'`

/** Returns the same from the result of version(). */
export function isEmbeddedServer(description: string): boolean {
  return description.includes(providers.pglite.server)
}

/** Reads the same from the server. */
export function readIsEmbedded(session: Session): Promise<boolean> {
  return session.ask(`select to_json(${isEmbeddedSql}) as state`)
}

/**
 * SQL: whether the server can notice, during a statement, that its client has died (client_connection_check_interval).
 * That is the case from PostgreSQL 14, on platforms with the necessary poll events.
 */
export const canCheckConnectionSql = `pg_catalog.version() operator(pg_catalog.~) '(linux|darwin|bsd|apple)' and not (${isEmbeddedSql})
  and (${majorSql}) operator(pg_catalog.>=) 14`
