import { isPgvectorMigrationError, type ErrorCode, type PgvectorMigrationError } from '../core/errors.ts'
import { assess, type Requirements } from '../extension/assess.ts'
import { putOnPath } from '../extension/warnings.ts'
import { remedies } from '../pgvector/providers.ts'
import type { PgvectorState } from '../extension/state.ts'
import { verify } from '../extension/verify.ts'
import { isAtLeast } from '../pgvector/version.ts'
import type { Session } from '../database/session.ts'
import { identifier, literal } from '../core/sql.ts'
import type { Caller } from './connection.ts'
import { findingsOf, type Finding } from './finding.ts'
import type { Reading } from './reading.ts'

const { ok, warning, error: failure, unknown } = findingsOf('extension')

/** How statements of this role can refer to the extension. */
export interface Reach {
  /** What the plain name `vector` resolves to: the object with its schema, and the extension that it belongs to. */
  readonly vector: { readonly name: string; readonly extension: string | null } | null
  /** Whether the role may use the schema of the extension; null if the extension is not enabled. */
  readonly mayUseSchema: boolean | null
}

export function readReach(session: Session, schema: string | null): Promise<Reach> {
  const mayUse = schema === null ? 'null' : `has_schema_privilege(${literal(schema)}, 'usage')`
  return session.ask(`select json_build_object('mayUseSchema', ${mayUse}, 'vector', (
      select json_build_object('name', format('%I.%I', n.nspname, t.typname), 'extension', x.extname)
      from pg_catalog.pg_type t
      join pg_catalog.pg_namespace n on n.oid = t.typnamespace
      left join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_type'::regclass and d.objid = t.oid
        and d.refclassid = 'pg_catalog.pg_extension'::regclass and d.deptype = 'e'
      left join pg_catalog.pg_extension x on x.oid = d.refobjid
      where t.oid = to_regtype('vector')
    )) as state`)
}

/** Tests the extension in use. Returns the error, or null if it works. */
export async function readVerification(session: Session): Promise<PgvectorMigrationError | null> {
  try {
    await verify(session)
    return null
  } catch (error) {
    if (isPgvectorMigrationError(error, 'VERIFICATION_FAILED')) return error
    throw error
  }
}

// The other checks report these.
const elsewhere = new Set<ErrorCode>([
  'POSTGRES_TOO_OLD',
  'READ_ONLY',
  'INSUFFICIENT_PRIVILEGE',
  'TYPE_CONFLICT',
  'ACCESS_METHOD_CONFLICT',
])

/** Reports what ensurePgvector would refuse because of the extension itself, with the same messages. */
export function requirementFindings(state: PgvectorState, needs: Requirements): Finding[] {
  const errors = assess(state, needs).errors.filter(({ code }) => !elsewhere.has(code))
  return errors.map(({ message, hint }) => failure(message, hint))
}

/**
 * Reports a database without the extension on a server that has its files, which is normal before the first migration.
 */
export function absenceFindings({ available, installed }: PgvectorState, hasPending: boolean): Finding[] {
  if (installed !== null || available === null) return []
  const message = `pgvector ${available.defaultVersion} is on this server, and not enabled in this database`
  return [
    hasPending
      ? warning(`${message}; a pending migration may do it`, 'npx knex-pgvector up')
      : failure(message, 'CREATE EXTENSION vector;'),
  ]
}

/** Reports which version is installed where, and whether it works. */
export function installationFindings(
  { installed }: Pick<PgvectorState, 'installed'>,
  verification: Reading<PgvectorMigrationError | null>,
): Finding[] {
  if (installed === null) return []
  const what = `pgvector ${installed.version} in the schema ${identifier(installed.schema)}`
  if (!verification.isKnown) return [unknown(`${what}; whether it works could not be tried: ${verification.reason}`)]
  const { value: problem } = verification
  return [problem === null ? ok(`${what}, and it works`) : failure(problem.message, problem.hint)]
}

/** Reports whether statements find the type without naming the schema. */
export function reachFindings(
  { installed }: Pick<PgvectorState, 'installed'>,
  reach: Reach,
  caller: Caller,
): Finding[] {
  if (installed === null) return []
  const schema = identifier(installed.schema)
  const role = identifier(caller.role)
  if (reach.mayUseSchema === false) {
    return [
      warning(
        `the role ${caller.role} may not use the schema ${schema}, so not the type either`,
        `GRANT USAGE ON SCHEMA ${schema} TO ${role};`,
      ),
    ]
  }
  if (reach.vector === null) {
    return [
      warning(
        `${schema} is not on the search path: SQL that says vector without the schema fails`,
        putOnPath(caller, installed.schema),
      ),
    ]
  }
  return []
}

/** Reports whether the SQL objects match the release whose files the server has. */
export function skewFindings({ installed, available, owner, provider }: PgvectorState): Finding[] {
  if (installed === null || available?.defaultVersion === installed.version) return []
  if (available === null) {
    return [
      failure(
        'the files of the extension are gone from this server',
        remedies(provider).notAvailable ?? `Install pgvector ${installed.version} on the database server again.`,
      ),
    ]
  }
  const { defaultVersion } = available
  if (!isAtLeast(defaultVersion, installed.version)) {
    return [
      warning(
        `the server's files are of ${defaultVersion}, older than the SQL objects of ${installed.version}`,
        `Install pgvector ${installed.version} on the database server.`,
      ),
    ]
  }
  const whose = owner === null || owner.isCurrentRole ? '' : ` -- as its owner ${owner.name}, or a superuser`
  return [
    warning(
      `the server has pgvector ${defaultVersion}, and the SQL objects here are of ${installed.version}`,
      `ALTER EXTENSION vector UPDATE;${whose}`,
    ),
  ]
}
