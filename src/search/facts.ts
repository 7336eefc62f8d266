import { tableOf, type VectorColumn } from '../columns/column.ts'
import { columnLabel } from '../columns/facts.ts'
import { PgvectorMigrationError } from '../core/errors.ts'
import { literal, toRegclass } from '../core/sql.ts'
import type { Session } from '../database/session.ts'
import { isCitusSql, rememberSingle } from '../database/topology.ts'
import { rememberSchema } from '../extension/known-schema.ts'

/** What a search needs to know of a database. */
interface SearchFacts {
  /** The version of the extension. */
  readonly version: string
  /** The columns of the table that hold no vectors. */
  readonly columns: readonly string[]
}

// By the configuration, which a Knex instance shares with its transactions. A version only ever grows.
const versions = new WeakMap<object, string>()

/** The version of the extension, asked for once for each Knex instance. */
export async function readVersion(session: Session, column: VectorColumn): Promise<string> {
  return versions.get(session.identity) ?? (await readSearchFacts(session, column)).version
}

/** Has the next search ask again: the extension may have been dropped, or moved. */
export function forgetVersion(session: Session): void {
  versions.delete(session.identity)
}

/**
 * Reads what a search needs to know.
 *
 * @throws {PgvectorMigrationError} PGVECTOR_NOT_ENABLED or RELATION_NOT_FOUND.
 */
export async function readSearchFacts(session: Session, column: VectorColumn): Promise<SearchFacts> {
  const table = tableOf(column)
  const facts = await session.ask<Answer | null>(`select (
    select json_build_object('version', e.extversion, 'schema', n.nspname, 'columns', (
      select json_agg(a.attname order by a.attnum) from pg_catalog.pg_attribute a
      join pg_catalog.pg_type t on t.oid = a.atttypid
      where a.attrelid = ${toRegclass(table)} and a.attnum > 0 and not a.attisdropped
        and a.attname <> ${literal(column.name)}
        and not (t.typnamespace = e.extnamespace and ltrim(t.typname, '_') in ('vector', 'halfvec', 'sparsevec'))
    ), 'exists', ${toRegclass(table)} is not null, 'isCitus', ${isCitusSql})
    from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector'
  ) as state`)
  if (facts === null) {
    throw new PgvectorMigrationError('PGVECTOR_NOT_ENABLED', { needed: `a search of ${columnLabel(column)}` })
  }
  const { version, schema, columns, exists, isCitus } = facts
  if (!isCitus) rememberSingle(session)
  if (!exists) throw new PgvectorMigrationError('RELATION_NOT_FOUND', { name: table, kind: 'table' })
  versions.set(session.identity, version)
  rememberSchema(session.knex, schema)
  return { version, columns: columns ?? [] }
}

interface Answer {
  readonly version: string
  readonly schema: string
  readonly columns: readonly string[] | null
  readonly exists: boolean
  readonly isCitus: boolean
}
