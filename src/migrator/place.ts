import { PgvectorMigrationError } from '../core/errors.ts'
import { literal, schemaList, withoutEscapes } from '../core/sql.ts'

/** The schema that the migrations of a run work in, if that is not left to the connection. */
export interface Place {
  readonly schema: string
  /** The search path of every migration. The schema is its first. */
  readonly searchPath: readonly string[]
}

/**
 * Returns a statement that sets the search path, and one that asks which schema it leads to. In a transaction, the first
 * leaves a mark too, which ends with that transaction.
 */
export function placing({ schema, searchPath }: Place, isLocal: boolean): readonly string[] {
  const path = literal(withoutEscapes(schemaList(searchPath)))
  const mark = isLocal ? `, pg_catalog.set_config('${MARK}', ${literal(schema)}, true)` : ''
  return [
    `select pg_catalog.set_config('search_path', ${path}, ${isLocal})${mark}`,
    'select pg_catalog.current_schema() as schema',
  ]
}

const MARK = 'knex_pgvector.place'

/** Returns the SQL condition that the transaction which left the mark is still open. */
export function isMarkedSql({ schema }: Place): string {
  return `coalesce(pg_catalog.current_setting('${MARK}', true), '') operator(pg_catalog.=) ${literal(schema)}`
}

/**
 * Checks the answer: without the schema, or without the right to use it, the path leads to the next one.
 *
 * @throws {PgvectorMigrationError} SCHEMA_NOT_FOUND
 */
export function assertPlaced({ schema }: Place, current: unknown): void {
  if (current === schema) return
  const hint =
    'Create it, or grant this role USAGE on it. The migrations were not run, because they would have worked in ' +
    `${typeof current === 'string' ? `schema "${current}"` : 'no schema'}.`
  throw new PgvectorMigrationError('SCHEMA_NOT_FOUND', { schema }, { hint })
}
