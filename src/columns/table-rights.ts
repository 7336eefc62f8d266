import { PgvectorMigrationError, sqlStateOf } from '../core/errors.ts'
import { identifier, literal, qualified, toRegclass } from '../core/sql.ts'
import { serverMessage } from '../database/server-message.ts'
import { sqlState } from '../database/sqlstate.ts'
import { tableOf, type VectorColumn } from './column.ts'

/** What a role may do with a table. */
export interface RelationRights {
  readonly role: string
  /** Of those of its schema that are needed to work with what is in it, and to make something there. */
  readonly lacking: readonly ('USAGE' | 'CREATE')[]
  readonly owner: string
  /** Whether the role is the owner, a member of it, or a superuser. */
  readonly isOwner: boolean
}

/** What only the owner of a table may do. */
export type OwnersStatement = 'ALTER TABLE' | 'CREATE INDEX' | 'DROP INDEX' | 'REINDEX INDEX'

/** A table whose rights were read. */
export interface TableWithRights {
  readonly schema: string
  readonly name: string
  readonly rights: RelationRights
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

/** {@link RelationRights} of the role that asks, as json; `table` is a row of pg_class. */
export function rightsSql(table: string): string {
  return `json_build_object('role', current_user,
    'owner', pg_get_userbyid(${table}.relowner), 'isOwner', pg_has_role(${table}.relowner, 'usage'),
    'lacking', (
      select coalesce(json_agg(privilege), '[]') from unnest('{USAGE,CREATE}'::text[]) privilege
      where not has_schema_privilege(${table}.relnamespace, privilege)))`
}

/** Whether counting rows would not tell how many a table has: they are hidden from the role, or it may not read them. */
export function hidesRowsSql(table: string, namespace: string): string {
  return `(row_security_active(${table}) or not has_schema_privilege(${namespace}, 'usage')
    or not has_table_privilege(${table}, 'select'))`
}

/** The refusal where a right is lacking that is needed, with what grants it; null where none is. */
export function lackingRights(statement: OwnersStatement, table: TableWithRights): PgvectorMigrationError | null {
  const { schema, rights } = table
  const { role, lacking, isOwner } = rights
  const needed = lacking.filter((right) => right === 'USAGE' || statement === 'CREATE INDEX')
  const grant = `GRANT ${needed.join(', ')} ON SCHEMA ${identifier(schema)} TO ${identifier(role)};`
  const hints = [
    ...(needed.length === 0 ? [] : [`As the owner of the schema or a superuser: ${grant} then run this again.`]),
    ...(isOwner ? [] : [ownerHint(table)]),
  ]
  if (hints.length === 0) return null
  return new PgvectorMigrationError('INSUFFICIENT_PRIVILEGE', { statement, role }, { hint: hints.join(' ') })
}

/** What the server refused for lack of a right becomes ours; other errors pass untouched. */
export function refusedRight(error: unknown, statement: OwnersStatement, table: TableWithRights): unknown {
  if (sqlStateOf(error) !== sqlState.insufficientPrivilege) return error
  const { role, isOwner } = table.rights
  const hint = isOwner ? `The server refused it: ${serverMessage(error)}. Run it as a superuser.` : ownerHint(table)
  return new PgvectorMigrationError('INSUFFICIENT_PRIVILEGE', { statement, role }, { cause: error, hint })
}

function ownerHint({ schema, name, rights: { owner } }: TableWithRights): string {
  return `Table ${qualified(schema, name)} belongs to role ${identifier(owner)}. Run this as that role or as a superuser.`
}
