import { readOnlySql } from '../../database/read-only-sql.ts'
import type { Session } from '../../database/session.ts'

/** What a forecast needs to know beyond the facts of the build. */
export interface ForecastFacts {
  /** Whether a build writes WAL. That of a temporary or unlogged table does not. */
  readonly writesWal: boolean
  /** Whether nothing can be written in this session. */
  readonly isReadOnly: boolean
  /** Whether this role may create temporary tables in this database. */
  readonly mayCreateTemporary: boolean
}

/** Reads it, of a table by its OID. */
export function readForecastFacts(session: Session, table: number): Promise<ForecastFacts> {
  return session.ask(`select json_build_object(
      'writesWal', coalesce((select c.relpersistence = 'p' from pg_catalog.pg_class c where c.oid = ${table}), true),
      'isReadOnly', (${readOnlySql}) is not null,
      'mayCreateTemporary', has_database_privilege(current_database(), 'temp')) as state`)
}
