import { PgvectorMigrationError } from '../core/errors.ts'
import { identifier, literal, toRegclass } from '../core/sql.ts'
import { tableOf, type VectorColumn } from './column.ts'

/** What a role may not do in the schema of a table. */
export interface SchemaRights {
  readonly role: string
  /** Of those that are needed to work with what is in the schema, and to make something there. */
  readonly lacking: readonly ('USAGE' | 'CREATE')[]
}

/**
 * The number of a column's table in SQL. PostgreSQL refuses to look a name up in a schema that the role may not use, so
 * the catalog is read instead, and what is lacking can be told.
 */
export function tableNumberSql(column: Pick<VectorColumn, 'schema' | 'table'>): string {
  const { schema, table } = column
  if (schema === null || schema === 'pg_temp') return toRegclass(tableOf(column))
  return `(
    select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = ${literal(schema)} and c.relname = ${literal(table)})`
}

/** {@link SchemaRights} of the role that asks, as json; `namespace` is the number of a schema in SQL. */
export function rightsSql(namespace: string): string {
  return `json_build_object('role', current_user, 'lacking', (
    select coalesce(json_agg(privilege), '[]') from unnest('{USAGE,CREATE}'::text[]) privilege
    where not has_schema_privilege(${namespace}, privilege)))`
}

/** Whether counting rows would not tell how many a table has: they are hidden from the role, or it may not read them. */
export function hidesRowsSql(table: string, namespace: string): string {
  return `(row_security_active(${table}) or not has_schema_privilege(${namespace}, 'usage')
    or not has_table_privilege(${table}, 'select'))`
}

/** The refusal where a right is lacking that is needed, with what grants it; null where none is. */
export function lackingRights(
  statement: 'ALTER TABLE' | 'CREATE INDEX' | 'DROP INDEX',
  { schema, rights: { role, lacking } }: { readonly schema: string; readonly rights: SchemaRights },
): PgvectorMigrationError | null {
  const needed = lacking.filter((right) => right === 'USAGE' || statement === 'CREATE INDEX')
  if (needed.length === 0) return null
  const grant = `GRANT ${needed.join(', ')} ON SCHEMA ${identifier(schema)} TO ${identifier(role)};`
  const hint = `As the owner of the schema or a superuser: ${grant} then run this again.`
  return new PgvectorMigrationError('INSUFFICIENT_PRIVILEGE', { statement, role }, { hint })
}
