import { PgvectorMigrationError, sqlStateOf } from '../core/errors.ts'
import { identifier, literal, qualified, toRegclass } from '../core/sql.ts'
import { serverMessage } from '../database/server-message.ts'
import { sqlState } from '../database/sqlstate.ts'
import { tableOf, type VectorColumn } from './column.ts'

/** The rights of a role on a table. */
export interface RelationRights {
  readonly role: string
  /** The missing privileges on the table's schema: those needed to use its objects, and to create an object in it. */
  readonly lacking: readonly ('USAGE' | 'CREATE')[]
  readonly owner: string
  /** Whether the role is the owner, a member of the owner, or a superuser. */
  readonly isOwner: boolean
}

/** The statements that only the owner of a table may run. */
export type OwnersStatement = 'ALTER TABLE' | 'CREATE INDEX' | 'DROP INDEX' | 'REINDEX INDEX'

/** A table whose rights have been read. */
export interface TableWithRights {
  readonly schema: string
  readonly name: string
  readonly rights: RelationRights
}

/**
 * Returns SQL for the OID of a column's table. PostgreSQL refuses to resolve a name in a schema that the role may not
 * use. This reads the catalog instead, so that the error can name the missing privilege.
 */
export function tableNumberSql(column: Pick<VectorColumn, 'schema' | 'table'>): string {
  const { schema, table } = column
  if (schema === null || schema === 'pg_temp') return toRegclass(tableOf(column))
  return `(
    select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = ${literal(schema)} and c.relname = ${literal(table)})`
}

/** Returns SQL for the {@link RelationRights} of the current role, as json; `table` is a row of pg_class. */
export function rightsSql(table: string): string {
  return `json_build_object('role', current_user,
    'owner', pg_get_userbyid(${table}.relowner), 'isOwner', pg_has_role(${table}.relowner, 'usage'),
    'lacking', (
      select coalesce(json_agg(privilege), '[]') from unnest('{USAGE,CREATE}'::text[]) privilege
      where not has_schema_privilege(${table}.relnamespace, privilege)))`
}

/** Returns SQL for whether a count could miss rows, because they are hidden from the role or it may not read them. */
export function hidesRowsSql(table: string, namespace: string): string {
  return `(row_security_active(${table}) or not has_schema_privilege(${namespace}, 'usage')
    or not has_table_privilege(${table}, 'select'))`
}

/** Returns the error for a missing privilege, with the statement that grants it; null if none is missing. */
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

/** Turns a server error about a missing privilege into ours. Other errors pass unchanged. */
export function refusedRight(error: unknown, statement: OwnersStatement, table: TableWithRights): unknown {
  if (sqlStateOf(error) !== sqlState.insufficientPrivilege) return error
  const { role, isOwner } = table.rights
  const hint = isOwner ? `The server refused it: ${serverMessage(error)}. Run it as a superuser.` : ownerHint(table)
  return new PgvectorMigrationError('INSUFFICIENT_PRIVILEGE', { statement, role }, { cause: error, hint })
}

function ownerHint({ schema, name, rights: { owner } }: TableWithRights): string {
  return `Table ${qualified(schema, name)} belongs to role ${identifier(owner)}. Run this as that role or as a superuser.`
}
