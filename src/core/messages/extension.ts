import { millisecondsText } from '../time-text.ts'
import { type Messages } from './text.ts'

/** The facts of errors of the extension. */
export interface ExtensionErrors {
  readonly INVALID_OPTIONS: { readonly problems: readonly string[] }
  readonly UNSUPPORTED_DATABASE: { readonly database: string }
  readonly POSTGRES_TOO_OLD: { readonly version: string; readonly requiredMajor: number }
  readonly PGVECTOR_NOT_AVAILABLE: { readonly major: number }
  readonly PGVECTOR_VERSION_TOO_LOW: {
    readonly installed: string
    readonly minimum: string
    /** The version that an update would lead to; null where the server has none that is new enough. */
    readonly available: string | null
  }
  readonly PGVECTOR_NO_UPDATE_PATH: { readonly installed: string | null; readonly target: string }
  readonly INSUFFICIENT_PRIVILEGE: { readonly statement: string; readonly role: string }
  readonly TYPE_CONFLICT: ConflictingObject
  readonly ACCESS_METHOD_CONFLICT: { readonly name: string; readonly extension: string | null }
  readonly SCHEMA_NOT_FOUND: { readonly schema: string | null }
  readonly READ_ONLY: ReadOnly
  /** Host and port of the coordinator; null if the worker does not know them. */
  readonly CITUS_WORKER: { readonly coordinator: string | null }
  /** Nodes by host and port, and what each of them lacks. */
  readonly CITUS_NODES_NOT_READY: { readonly problems: readonly { readonly node: string; readonly problem: string }[] }
  /** What Citus said, and the node that said it; null if it was the coordinator. */
  readonly CITUS_REFUSED: { readonly problem: string; readonly node: string | null }
  readonly LOCK_TIMEOUT: { readonly milliseconds: number }
  readonly VERIFICATION_FAILED: { readonly problems: readonly string[] }
  readonly PGVECTOR_NOT_ENABLED: { readonly needed: string }
  readonly PGVECTOR_DOWNGRADE: { readonly installed: string; readonly target: string }
}

/** An object with the name of one that pgvector creates. */
export interface ConflictingObject {
  readonly name: string
  readonly kind: 'type' | 'domain' | 'table' | 'function'
  readonly schema: string
  /** The extension it belongs to; null for an object that was created by hand. */
  readonly extension: string | null
}

/** Why a database takes no writes, and where they have to go. */
export interface ReadOnly {
  /** It is a standby, or the transaction (or its default) is read only. */
  readonly reason: 'standby' | 'transaction'
  /** Host and port that a standby receives its changes from; null if this role may not see them. */
  readonly primary: string | null
}

export const extensionMessages: Messages<ExtensionErrors> = {
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
        : `Role "${role}" lacks the privilege. Run it as the owner of the object or as a superuser.`,
  }),
  TYPE_CONFLICT: ({ name, kind, schema, extension }) => ({
    message: `${kind === 'function' ? 'Function' : 'Type'} '${name}' already exists from different source`,
    hint:
      `The ${kind} "${schema}"."${name}"${extension === null ? '' : ` of extension "${extension}"`} conflicts with it. ` +
      `Rename it, or pass another { schema } for pgvector.`,
  }),
  ACCESS_METHOD_CONFLICT: ({ name, extension }) => ({
    message: `Access method '${name}' already exists from different source`,
    hint:
      extension === null
        ? `Access methods have no schema: drop the one called ${name}, then run this again.`
        : `It belongs to extension "${extension}", which cannot be in the same database as pgvector. Move its indexes, then drop it.`,
  }),
  SCHEMA_NOT_FOUND: ({ schema }) => ({
    message:
      schema === null
        ? 'There is no schema to create pgvector in: no schema of the search path exists'
        : `Schema "${schema}" does not exist`,
    hint:
      schema === null
        ? 'Pass { schema } with an existing schema, or correct the search_path of this role.'
        : 'Create it first, or pass { createSchema: true }.',
  }),
  READ_ONLY: ({ reason, primary }) => ({
    message:
      reason === 'standby'
        ? 'This server is a standby and cannot be changed'
        : 'This transaction is read only and cannot change anything',
    hint:
      reason === 'standby'
        ? `Connect to the primary server${primary === null ? '' : ` (this standby follows ${primary})`}; the standby receives the change from it.`
        : 'Run this in a read-write transaction, and check default_transaction_read_only.',
  }),
  CITUS_WORKER: ({ coordinator }) => ({
    message: 'This server is a worker of a Citus cluster, where schemas cannot be changed',
    hint: `Connect to the coordinator${coordinator === null ? '' : `, ${coordinator}`}; it sends the change to every node.`,
  }),
  CITUS_NODES_NOT_READY: ({ problems }) => ({
    message: `pgvector is not ready on every node of the Citus cluster:\n${problems
      .map(({ node, problem }) => `- ${node} ${problem}`)
      .join('\n')}`,
    hint: 'Install the same release of pgvector on every node, and check that the coordinator reaches them all. Then run this again.',
  }),
  CITUS_REFUSED: ({ problem, node }) => ({
    message: `Citus refused the statement${node === null ? '' : ` on ${node}`}: ${problem}`,
    hint:
      'Run it in a transaction of its own, before any statement that uses a distributed table: ensurePgvector in a migration ' +
      "by itself, or after: SET LOCAL citus.multi_shard_modify_mode = 'sequential';",
  }),
  LOCK_TIMEOUT: ({ milliseconds }) => ({
    message: `Another session has been changing pgvector for more than ${millisecondsText(milliseconds)}`,
    hint:
      'Run this again. To see the session: select a.* from pg_stat_activity a join pg_locks l using (pid) ' +
      "where l.locktype = 'advisory' and l.granted;",
  }),
  VERIFICATION_FAILED: ({ problems }) => ({
    message: `Extension verification failed: vector type not functional (${problems.join('; ')})`,
    hint:
      'The library and the SQL objects may be from different releases. Run: ALTER EXTENSION vector UPDATE; ' +
      'then reconnect. If that does not help, reinstall pgvector on the database server.',
  }),
  PGVECTOR_NOT_ENABLED: ({ needed }) => ({
    message: `pgvector is not enabled in this database, and ${needed} needs it`,
    hint: 'Call ensurePgvector(knex) first, or start the migration with new EnablePgvector().',
  }),
  PGVECTOR_DOWNGRADE: ({ installed, target }) => ({
    message: `pgvector ${installed} cannot be downgraded to ${target}: pgvector has no downgrade scripts`,
    hint: `To run ${target}, restore a backup into a database where ${target} is enabled.`,
  }),
}
