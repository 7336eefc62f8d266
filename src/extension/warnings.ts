import type { ParsedEnsureOptions } from '../core/options.ts'
import { identifier } from '../core/sql.ts'
import { advisoriesFor } from '../pgvector/releases.ts'
import type { Caller, Glance, InstalledExtension } from './state.ts'

type NeedsSchema = Pick<ParsedEnsureOptions, 'schema'>

/** Returns what a caller should know although everything works. */
export function warningsFor(seen: Glance, needs: NeedsSchema): string[] {
  const { installed } = seen
  if (installed === null) return []
  const { schema: wanted = installed.schema } = needs
  return [
    ...(wanted === installed.schema ? [] : [otherSchemaWarning(installed.schema, wanted)]),
    ...(installed.reach === 'with schema' ? [offPathWarning(installed)] : []),
    ...advisoryWarnings(installed.version),
  ]
}

function otherSchemaWarning(schema: string, wanted: string): string {
  return (
    `pgvector is installed in the schema ${identifier(schema)} and was not moved to ${identifier(wanted)}. ` +
    `Its owner can move it: ALTER EXTENSION vector SET SCHEMA ${identifier(wanted)};`
  )
}

function offPathWarning({ schema, caller }: InstalledExtension): string {
  return (
    `pgvector is in the schema ${identifier(schema)}, and the unqualified name vector does not resolve to it on the search ` +
    `path of this connection. Use the schema name in your SQL, or run: ${putOnPath(caller, schema)}`
  )
}

/**
 * Returns the statement that lets later sessions of a role find pgvector's types and operators by their plain names.
 */
export function putOnPath({ role, database, searchPath }: Caller, schema: string): string {
  const path = [...(searchPath === '' ? [] : [searchPath]), identifier(schema)].join(', ')
  return `ALTER ROLE ${identifier(role)} IN DATABASE ${identifier(database)} SET search_path = ${path};`
}

/** The known problems of a release. The version is that of the SQL objects. The library that the server loads may be newer. */
export function advisoryWarnings(version: string): string[] {
  return advisoriesFor(version).map(
    ({ id, effect, fixedIn }) =>
      `pgvector ${version}: ${id}: ${effect}. Fixed in ${fixedIn}: update the server's package if it is older, then run: ` +
      'ALTER EXTENSION vector UPDATE;',
  )
}

/** Returns what a caller should know about the schema that pgvector was created in, if none was requested. */
export function schemaWarnings(schema: string, needs: NeedsSchema): string[] {
  if (needs.schema !== undefined || schema === 'public') return []
  return [
    `pgvector was created in the schema ${identifier(schema)}, the first of the search path, which does not name public. ` +
      `Dropping that schema would drop pgvector and every column of its types, in other schemas too. To choose another one: ` +
      `ensurePgvector(knex, { schema: 'extensions' })`,
  ]
}
