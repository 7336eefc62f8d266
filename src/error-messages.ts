/** The facts each error carries. The keys are the public error codes. */
export interface ErrorDetails {
  readonly INVALID_OPTIONS: { readonly problems: readonly string[] }
  readonly UNSUPPORTED_DATABASE: { readonly database: string }
  readonly POSTGRES_TOO_OLD: { readonly version: string; readonly requiredMajor: number }
  readonly PGVECTOR_NOT_AVAILABLE: { readonly major: number }
  readonly PGVECTOR_VERSION_TOO_LOW: {
    readonly installed: string
    readonly minimum: string
    /** The newest version this server could install or update to; null where it has no files. */
    readonly available: string | null
  }
  readonly PGVECTOR_NO_UPDATE_PATH: { readonly installed: string | null; readonly target: string }
  readonly INSUFFICIENT_PRIVILEGE: { readonly statement: string; readonly role: string }
  readonly TYPE_CONFLICT: ConflictingObject
  readonly ACCESS_METHOD_CONFLICT: { readonly name: string; readonly extension: string | null }
  readonly SCHEMA_NOT_FOUND: { readonly schema: string | null }
  readonly READ_ONLY: { readonly reason: ReadOnlyReason }
  readonly LOCK_TIMEOUT: { readonly milliseconds: number }
  readonly VERIFICATION_FAILED: { readonly problems: readonly string[] }
  readonly INVALID_MIGRATION: { readonly file: string; readonly problem: string }
  readonly EMBEDDED_NOT_INSTALLED: { readonly missing: string }
  readonly EMBEDDED_IN_USE: { readonly directory: string; readonly processId: number }
}

export type ErrorCode = keyof ErrorDetails

/** An object that stands where pgvector would create one of its own. */
export interface ConflictingObject {
  readonly name: string
  readonly kind: 'type' | 'domain' | 'table' | 'function'
  readonly schema: string
  /** The extension it belongs to; null for an object that somebody created by hand. */
  readonly extension: string | null
}

/** Why a database takes no writes: it is a standby, or the transaction (or its default) is read only. */
export type ReadOnlyReason = 'standby' | 'transaction'

interface ErrorText {
  readonly message: string
  readonly hint: string
}

/**
 * Every sentence we say when something fails, once. The beginnings of the messages are the product's contract;
 * a hint is the remedy on a stock server, and the caller replaces it where the host needs another one.
 */
export const messages: { readonly [Code in ErrorCode]: (details: ErrorDetails[Code]) => ErrorText } = {
  INVALID_OPTIONS: ({ problems }) => ({
    message: `Invalid options:\n${problems.map((problem) => `- ${problem}`).join('\n')}`,
    hint: 'Correct the options named above.',
  }),
  UNSUPPORTED_DATABASE: ({ database }) => ({
    message: `pgvector is an extension of PostgreSQL; this is ${database}`,
    hint: "Use Knex's `pg` client with a PostgreSQL server.",
  }),
  POSTGRES_TOO_OLD: ({ version, requiredMajor }) => ({
    message: `PostgreSQL 14+ required for pgvector 0.5.0+. Current: ${version}`,
    hint: `Upgrade the server to PostgreSQL ${requiredMajor} or newer, then run this again.`,
  }),
  PGVECTOR_NOT_AVAILABLE: ({ major }) => ({
    message: `pgvector extension not available. Ensure postgresql-${major}-pgvector is installed`,
    hint:
      `On the database server: apt install postgresql-${major}-pgvector (Debian, Ubuntu), ` +
      `dnf install pgvector_${major} (PGDG on Red Hat), brew install pgvector (macOS), ` +
      `or use the Docker image pgvector/pgvector:pg${major}. Then run this again.`,
  }),
  PGVECTOR_VERSION_TOO_LOW: ({ installed, minimum, available }) => ({
    message: `pgvector version ${installed} < required ${minimum}`,
    hint:
      available === null || available === installed
        ? `Install pgvector ${minimum} or newer on the database server, then run this again.`
        : `This server can update it to ${available}: pass { update: true }, or run: ALTER EXTENSION vector UPDATE;`,
  }),
  PGVECTOR_NO_UPDATE_PATH: ({ installed, target }) => ({
    message:
      installed === null
        ? `This server cannot install pgvector ${target}`
        : `This server cannot update pgvector from ${installed} to ${target}`,
    hint: 'Install the files of a matching pgvector release on the database server, then run this again.',
  }),
  INSUFFICIENT_PRIVILEGE: ({ statement, role }) => ({
    message: `Insufficient privileges to ${statement}`,
    hint:
      statement === 'CREATE EXTENSION'
        ? `Role "${role}" may not create it. As a superuser, in this database: CREATE EXTENSION vector; then run this again.`
        : `Role "${role}" may not do it. Run it as the owner of the object or as a superuser.`,
  }),
  TYPE_CONFLICT: ({ name, kind, schema, extension }) => ({
    message: `${kind === 'function' ? 'Function' : 'Type'} '${name}' already exists from different source`,
    hint:
      `The ${kind} "${schema}"."${name}"${extension === null ? '' : ` of extension "${extension}"`} is in the way. ` +
      `Rename it, or pass another { schema } for pgvector.`,
  }),
  ACCESS_METHOD_CONFLICT: ({ name, extension }) => ({
    message: `Access method '${name}' already exists from different source`,
    hint:
      extension === null
        ? `Access methods have no schema: drop the one called ${name}, then run this again.`
        : `It belongs to extension "${extension}", which cannot live beside pgvector. Move its indexes, then drop it.`,
  }),
  SCHEMA_NOT_FOUND: ({ schema }) => ({
    message:
      schema === null
        ? 'No schema to create pgvector in: the search path names none that exists'
        : `Schema "${schema}" does not exist`,
    hint:
      schema === null
        ? 'Pass { schema } with an existing schema, or correct the search_path of this role.'
        : 'Create it first, or pass { createSchema: true }.',
  }),
  READ_ONLY: ({ reason }) => ({
    message:
      reason === 'standby'
        ? 'This server is a standby: nothing can be changed here'
        : 'This transaction is read only: nothing can be changed in it',
    hint:
      reason === 'standby'
        ? 'Connect to the primary server; the standby follows by itself.'
        : 'Run this in a read-write transaction, and check default_transaction_read_only.',
  }),
  LOCK_TIMEOUT: ({ milliseconds }) => ({
    message: `Another session has been changing pgvector for more than ${milliseconds} ms`,
    hint:
      'Run this again. To see who it is: select a.* from pg_stat_activity a join pg_locks l using (pid) ' +
      "where l.locktype = 'advisory' and l.granted;",
  }),
  VERIFICATION_FAILED: ({ problems }) => ({
    message: `Extension verification failed: vector type not functional (${problems.join('; ')})`,
    hint:
      'Check that the library and the SQL objects are of one release: ALTER EXTENSION vector UPDATE; ' +
      'reconnect, and if that does not help reinstall pgvector on the database server.',
  }),
  INVALID_MIGRATION: ({ file, problem }) => ({
    message: `Invalid migration ${file}: ${problem}`,
    hint: 'A migration file exports the functions up and down.',
  }),
  EMBEDDED_NOT_INSTALLED: ({ missing }) => ({
    message: `The embedded database needs the package ${missing}`,
    hint: 'Run: npm install @electric-sql/pglite @electric-sql/pglite-pgvector',
  }),
  EMBEDDED_IN_USE: ({ directory, processId }) => ({
    message: `The embedded database in ${directory} is in use by process ${processId}`,
    hint: 'It serves one process at a time: stop that process, or use another directory.',
  }),
}
