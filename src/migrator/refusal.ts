import type { ReadOnly } from '../core/error-messages.ts'
import { isPgvectorMigrationError, PgvectorMigrationError, sqlStateOf } from '../core/errors.ts'
import { readOnlySql } from '../database/read-only-sql.ts'
import type { Session } from '../database/session.ts'
import { identifier, literal, nullable } from '../core/sql.ts'
import { serverMessage } from '../database/server-message.ts'
import { sqlState } from '../database/sqlstate.ts'
import { trackingTable, type MigrationSettings, type MigrationTables } from './settings.ts'
import { neededPrivileges } from './tracking.ts'

/** What a command does with the tables of a run. */
export type Need = 'read' | 'write'

interface Rights {
  readonly role: string
  /** The schema of the tables, or in which they will be created; null if no schema on the search path exists. */
  readonly schema: string | null
  readonly hasSchema: boolean
  readonly mayUse: boolean
  readonly mayCreate: boolean
  readonly isMissing: boolean
  readonly readOnly: ReadOnly | null
  /** The missing privileges, by table. A table that does not exist needs none. */
  readonly lacking: Readonly<Record<keyof MigrationTables, readonly string[]>>
  /** The sequence that numbers the migrations, if this role may not use it. */
  readonly sequence: string | null
}

/**
 * Explains why the database refused an operation on the tables of a run, and which privilege is missing. Returns the
 * error itself if it has another cause.
 */
export async function explainRefusal(
  session: Session,
  settings: MigrationSettings,
  need: Need,
  error: unknown,
): Promise<unknown> {
  const isFailure = isPgvectorMigrationError(error, 'MIGRATION_FAILED')
  const refusal = isFailure ? error.cause : error
  const state = sqlStateOf(refusal)
  if (state === undefined || !REFUSALS.has(state)) return error
  // A refusal of the migration's own statements is not explained here, except for the statement that records it.
  if (isFailure && !serverMessage(refusal).includes(settings.names.migrations)) return error
  // If the refusal has aborted a caller's transaction, no query can run in it.
  const rights = await readRights(session, settings).catch(() => null)
  if (rights === null) return error
  if (state === sqlState.readOnlyTransaction && !isFailure)
    return new PgvectorMigrationError('READ_ONLY', rights.readOnly ?? { reason: 'transaction', primary: null }, {
      cause: error,
    })
  if (!rights.hasSchema && !isFailure) return schemaMissing(rights, error)
  const { statements, grants } = missingRights(rights, settings, need)
  if (grants.length === 0) return error
  const hint =
    `Role ${identifier(rights.role)} lacks a privilege. As the owner of the tables, or as a superuser: ${grants.join(' ')} ` +
    'Then run the same command again.'
  if (isFailure) return new PgvectorMigrationError('MIGRATION_FAILED', error.details, { cause: refusal, hint })
  const details = { statement: statements.join(', '), role: rights.role }
  return new PgvectorMigrationError('INSUFFICIENT_PRIVILEGE', details, { cause: error, hint })
}

const REFUSALS: ReadonlySet<string> = new Set([
  sqlState.insufficientPrivilege,
  sqlState.readOnlyTransaction,
  sqlState.invalidSchemaName,
])

function schemaMissing({ schema }: Rights, error: unknown): PgvectorMigrationError {
  const hint =
    schema === null
      ? 'The tables of the migrations need a schema: correct the search_path of this role, or set migrations.schemaName.'
      : `Create it for the tables of the migrations: CREATE SCHEMA ${identifier(schema)}; or correct migrations.schemaName.`
  return new PgvectorMigrationError('SCHEMA_NOT_FOUND', { schema }, { cause: error, hint })
}

function missingRights(
  { role, schema, mayUse, mayCreate, isMissing, lacking, sequence }: Rights,
  { tables }: MigrationSettings,
  need: Need,
): { readonly statements: readonly string[]; readonly grants: readonly string[] } {
  const to = `TO ${identifier(role)};`
  const names = (['migrations', 'lock', 'runs'] as const).filter((name) => lacking[name].length > 0)
  const wanted = names.map((name) => ({
    table: tables[name],
    privileges: lacking[name].filter((privilege) => need === 'write' || privilege === 'select'),
  }))
  const short = wanted.filter(({ privileges }) => privileges.length > 0)
  const isCreating = need === 'write' && isMissing && !mayCreate
  const onSchema = [...(mayUse ? [] : ['USAGE']), ...(isCreating ? ['CREATE'] : [])]
  return {
    statements: [
      ...(onSchema.length === 0 ? [] : [`${mayUse ? 'CREATE TABLE in' : 'use'} schema ${identifier(schema ?? '')}`]),
      ...short.map(({ table, privileges }) => `${privileges.join(', ').toUpperCase()} on ${table}`),
      ...(sequence === null || need === 'read' ? [] : [`use sequence ${sequence}`]),
    ],
    grants: [
      ...(onSchema.length === 0 ? [] : [`GRANT ${onSchema.join(', ')} ON SCHEMA ${identifier(schema ?? '')} ${to}`]),
      ...short.map(({ table, privileges }) => `GRANT ${privileges.join(', ').toUpperCase()} ON ${table} ${to}`),
      ...(sequence === null || need === 'read' ? [] : [`GRANT USAGE ON SEQUENCE ${sequence} ${to}`]),
    ],
  }
}

async function readRights(session: Session, { tables, names, schema }: MigrationSettings): Promise<Rights> {
  const keys = Object.keys(neededPrivileges) as (keyof MigrationTables)[]
  // to_regclass refuses to look into a schema that this role may not use.
  const numbers = keys.map((key) =>
    schema === null
      ? `${trackingTable(tables[key])}::oid as "${key}"`
      : `(select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
          where n.nspname = ${literal(schema)} and c.relname = ${literal(names[key])}) as "${key}"`,
  )
  const lacking = keys.map((key) => {
    const privileges = neededPrivileges[key].map((privilege) => `('${privilege}')`).join(', ')
    return `'${key}', (
      select coalesce(json_agg(privilege), '[]') from (values ${privileges}) as needed (privilege)
      where not has_table_privilege("${key}", privilege)
    )`
  })
  return session.ask<Rights>(`with known as (select ${numbers.join(', ')}, coalesce(${nullable(schema)}, current_schema()) as schema)
    select json_build_object('role', current_user, 'schema', schema, 'hasSchema', n.oid is not null,
      'mayUse', coalesce(has_schema_privilege(n.oid, 'usage'), false),
      'mayCreate', coalesce(has_schema_privilege(n.oid, 'create'), false),
      'isMissing', num_nulls(${keys.map((key) => `"${key}"`).join(', ')}) > 0,
      'readOnly', ${readOnlySql},
      'lacking', json_build_object(${lacking.join(', ')}),
      'sequence', (
        select case when not has_sequence_privilege(s.oid, 'usage') then format('%I.%I', sn.nspname, s.relname) end
        from pg_catalog.pg_class s
        join pg_catalog.pg_namespace sn on sn.oid = s.relnamespace
        join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_class'::regclass and d.objid = s.oid and d.deptype = 'a'
        where s.relkind = 'S' and d.refobjid = "migrations"
      )) as state
    from known left join pg_catalog.pg_namespace n on n.nspname = schema`)
}
