import { PgvectorMigrationError, sqlStateOf } from '../core/errors.ts'
import { MIN_PGVECTOR_VERSION } from '../core/options.ts'
import { serverMessage } from '../database/server-message.ts'
import type { Session } from '../database/session.ts'
import { sqlState } from '../database/sqlstate.ts'
import { indexMethods } from '../pgvector/index-methods.ts'
import { typeLimits } from '../pgvector/vector-types.ts'
import { isAtLeast } from '../pgvector/version.ts'

/** The extension in this database. */
interface Installed {
  readonly version: string
  /** Quoted for a statement. */
  readonly schema: string
  readonly isOnPath: boolean
}

type Failure = PgvectorMigrationError<'MIGRATION_FAILED'>

/**
 * Adds to a migration's failure why PostgreSQL does not know one of pgvector's names. Returns the failure unchanged if
 * that is not the cause.
 */
export async function explainUnknownType(session: Session, error: Failure): Promise<Failure> {
  const { cause, details, hint } = error
  if (sqlStateOf(cause) !== sqlState.undefinedObject) return error
  const name = unknownName(serverMessage(cause))
  if (name === null) return error
  // If the failure has aborted a caller's transaction, no query can run in it.
  const installed = await readInstalled(session).catch(() => undefined)
  if (installed === undefined) return error
  const reason = reasonOf(name, installed)
  if (reason === null) return error
  return new PgvectorMigrationError('MIGRATION_FAILED', details, { cause, hint: `${reason} ${hint}` })
}

const since: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(typeLimits).map(([name, limits]) => [name, limits.since])),
  ...Object.fromEntries(indexMethods.map((name) => [name, MIN_PGVECTOR_VERSION])),
}

// The words around the name are in the server's language.
function unknownName(said: string): string | null {
  const quoted = said.split(/["«»„“]/).map((part) => part.replace(/^.*\./, '').replace(/\[\]$/, ''))
  return quoted.find((part) => Object.hasOwn(since, part)) ?? null
}

async function readInstalled(session: Session): Promise<Installed | null> {
  return session.ask<Installed | null>(`select (
    select json_build_object('version', e.extversion, 'schema', quote_ident(n.nspname), 'isOnPath', n.nspname = any (current_schemas(true)))
    from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector'
  ) as state`)
}

function reasonOf(name: string, installed: Installed | null): string | null {
  if (installed === null)
    return 'pgvector is not enabled in this database: call ensurePgvector(knex) first, in this migration or an earlier one.'
  const { version, schema, isOnPath } = installed
  const needed = since[name] ?? version
  if (!isAtLeast(version, needed))
    return `${name} needs pgvector ${needed}, and ${version} is installed: ALTER EXTENSION vector UPDATE;`
  if (isOnPath) return null
  return `pgvector is in the schema ${schema}, which is not on the search path: write ${schema}.${name}, or add the schema to searchPath.`
}
