import type { ParsedEnsureOptions } from '../core/options.ts'
import { identifier } from '../core/sql.ts'
import { advisoriesFor } from '../pgvector/releases.ts'
import type { Caller, Glance, InstalledExtension } from './state.ts'

type NeedsSchema = Pick<ParsedEnsureOptions, 'schema'>

/** What a caller should know although everything works. */
export function warningsFor(seen: Glance, needs: NeedsSchema): string[] {
  const { installed } = seen
  if (installed === null) return []
  const { schema: wanted = installed.schema } = needs
  return [
    ...(wanted === installed.schema ? [] : [elsewhere(installed.schema, wanted)]),
    ...(installed.reach === 'with schema' ? [offPath(installed)] : []),
    ...advisoryWarnings(installed.version),
  ]
}

function elsewhere(schema: string, wanted: string): string {
  return (
    `pgvector is installed in the schema ${identifier(schema)}, and stays there although ${identifier(wanted)} was asked ` +
    `for. Its owner can move it: ALTER EXTENSION vector SET SCHEMA ${identifier(wanted)};`
  )
}

function offPath({ schema, caller }: InstalledExtension): string {
  return (
    `pgvector is in the schema ${identifier(schema)}, and the plain name vector does not find it on the search path of this ` +
    `connection. Name the schema in your SQL, or run: ${putOnPath(caller, schema)}`
  )
}

/** What has the plain names of pgvector's types and operators found by later sessions of a role. */
export function putOnPath({ role, database, searchPath }: Caller, schema: string): string {
  const path = [...(searchPath === '' ? [] : [searchPath]), identifier(schema)].join(', ')
  return `ALTER ROLE ${identifier(role)} IN DATABASE ${identifier(database)} SET search_path = ${path};`
}

// The version is that of the SQL objects: the library that the server loads may be newer.
function advisoryWarnings(version: string): string[] {
  return advisoriesFor(version).map(
    ({ id, effect, fixedIn }) =>
      `pgvector ${version}: ${id}: ${effect}. Fixed in ${fixedIn}: update the server's package where it is older, then run: ` +
      'ALTER EXTENSION vector UPDATE;',
  )
}

/** What should be known of the schema that pgvector was created in, where none was asked for. */
export function schemaWarnings(schema: string, needs: NeedsSchema): string[] {
  if (needs.schema !== undefined || schema === 'public') return []
  return [
    `pgvector was created in the schema ${identifier(schema)}, the first of the search path, which does not name public. ` +
      `Dropping that schema would drop pgvector and every column of its types, in other schemas too. To choose another one: ` +
      `ensurePgvector(knex, { schema: 'extensions' })`,
  ]
}
