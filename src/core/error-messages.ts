import { millisecondsText, timeText } from './time-text.ts'

/** The facts each error carries. The keys are the public error codes. */
export interface ErrorDetails {
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
  readonly LOCK_TIMEOUT: { readonly milliseconds: number }
  /** Host and port of the coordinator; null if the worker does not know them. */
  readonly CITUS_WORKER: { readonly coordinator: string | null }
  /** Nodes by host and port, and what each of them lacks. */
  readonly CITUS_NODES_NOT_READY: { readonly problems: readonly { readonly node: string; readonly problem: string }[] }
  /** What Citus said, and the node that said it; null if it was the coordinator. */
  readonly CITUS_REFUSED: { readonly problem: string; readonly node: string | null }
  readonly VERIFICATION_FAILED: { readonly problems: readonly string[] }
  readonly PGVECTOR_NOT_ENABLED: { readonly needed: string }
  readonly PGVECTOR_DOWNGRADE: { readonly installed: string; readonly target: string }
  readonly RELATION_NOT_FOUND: { readonly name: string; readonly kind: 'table' | 'column' | 'index' }
  readonly COLUMN_DIFFERS: { readonly column: string; readonly existing: string; readonly wanted: string }
  readonly COLUMN_NEEDS_VALUES: { readonly column: string }
  readonly COLUMN_IN_USE: { readonly column: string; readonly dependents: readonly string[] }
  readonly INDEX_NOT_POSSIBLE: ImpossibleIndex
  readonly INDEX_DIFFERS: { readonly index: string; readonly existing: string; readonly wanted: string }
  readonly INDEX_NEEDS_ROWS: {
    readonly index: string
    readonly rows: number
    /** Those of a partitioned table that have no rows; none where the table is not partitioned. */
    readonly partitions: readonly string[]
  }
  readonly INDEX_NEEDS_MEMORY: {
    readonly index: string
    readonly kind: 'maintenance_work_mem' | 'shared memory'
    /** What the server asked for, in its words. */
    readonly needed: string
  }
  readonly BACKFILL_FAILED: { readonly column: string; readonly filled: number; readonly problem: string }
  readonly IN_STEP_NOT_POSSIBLE: { readonly column: string; readonly problems: readonly string[] }
  readonly MODEL_NOT_SEARCHABLE: {
    readonly embedding: string
    /** The model that was asked for, or the one that is active. */
    readonly model: string
    /** The models whose vectors can be searched now. */
    readonly searchable: readonly string[]
    /** The models that `embed` calls; none where a vector was given. */
    readonly embeds: readonly string[]
  }
  readonly MODEL_CHANGE_REFUSED: { readonly embedding: string; readonly problems: readonly string[] }
  /** The problems are what is missing or altered. */
  readonly NOT_KEPT_IN_STEP: { readonly column: string; readonly problems: readonly string[] }
  readonly COPY_FAILED: {
    readonly table: string
    /** The number of the row, counted from 1; null where the problem is not one row's. */
    readonly row: number | null
    readonly column: string | null
    readonly problem: string
  }
  readonly INDEX_BUILD_FAILED: { readonly index: string; readonly problem: string }
  readonly INDEX_DROP_FAILED: { readonly index: string; readonly problem: string }
  readonly TENANT_INDEXES_NOT_POSSIBLE: { readonly table: string; readonly problems: readonly string[] }
  readonly TABLE_BUSY: {
    readonly table: string
    readonly attempts: number
    readonly milliseconds: number
    /** The server processes that held the table at the last attempt. */
    readonly blockers: readonly number[]
  }
  /** The processes of the server that one connection was given; none where the pooler itself refused a transaction. */
  readonly SESSION_SHARED: {
    readonly processes: readonly number[]
    /** What was changed before it was noticed, in the past tense. */
    readonly changed?: readonly string[]
  }
  readonly SEARCH_OPTION_NOT_SUPPORTED: {
    readonly option: string
    readonly since: string
    readonly installed: string
  }
  readonly INVALID_MIGRATION: InvalidFile
  readonly KNEXFILE_NOT_FOUND: { readonly folder: string }
  readonly INVALID_KNEXFILE: InvalidFile
  readonly ENVIRONMENT_NOT_FOUND: { readonly environment: string; readonly known: readonly string[] }
  readonly CONFIRMATION_NEEDED: { readonly migrations: readonly string[] }
  /** What was looked for, as a whole path, and why it cannot be read, as the system says it. */
  readonly MIGRATIONS_NOT_FOUND: { readonly directory: string; readonly reason: string }
  readonly MIGRATION_NOT_FOUND: { readonly version: string; readonly near: readonly string[] }
  readonly MIGRATION_AMBIGUOUS: { readonly version: string; readonly matches: readonly string[] }
  readonly MIGRATION_FILES_MISSING: { readonly missing: readonly string[] }
  readonly MIGRATION_FAILED: FailedMigration
  readonly MIGRATIONS_LOCKED: {
    readonly holder: LockHolder | null
    readonly milliseconds: number
    /** The PIDs of the backends that hold the lock or work for the run, where they are seen. */
    readonly backends?: readonly number[]
  }
  readonly CONNECTION_LOST: {
    /** The backend PID that the connection had; null where it is not known. */
    readonly processId: number | null
    /** What the server or the driver said. */
    readonly reason: string
    /** Host and port, where no connection was made. */
    readonly address?: string
  }
  /** `transactional` is false where the migration runs outside a transaction: what it did before stays. */
  readonly MIGRATION_LOCK_LOST: { readonly migration: string; readonly transactional: boolean }
  readonly MIGRATION_INTERRUPTED: InterruptedMigration
  readonly REHEARSAL_COMMITTED: CommittedRehearsal
  readonly TABLE_NOT_TRUSTED: DistrustedTable
  readonly UNLOCK_REFUSED: { readonly holder: LockHolder | null }
  readonly ADOPT_MISMATCH: { readonly problems: readonly { readonly migration: string; readonly problem: string }[] }
  readonly REPLAY_FAILED: { readonly migration: string }
  readonly PLAN_FAILED: FailedPlan
  readonly MIGRATION_EXISTS: { readonly name: string; readonly path: string }
  readonly PARSER_NOT_INSTALLED: { readonly missing: string }
  readonly EMBEDDED_NOT_INSTALLED: { readonly missing: string }
  readonly EMBEDDED_NEEDS_FLAG: { readonly flag: string }
  readonly EMBEDDED_IN_USE: { readonly directory: string; readonly processId: number }
}

/** What an error of ours can be; each code has a heading in docs/errors.md. */
export type ErrorCode = keyof ErrorDetails

/** An object with the name of one that pgvector creates. */
export interface ConflictingObject {
  readonly name: string
  readonly kind: 'type' | 'domain' | 'table' | 'function'
  readonly schema: string
  /** The extension it belongs to; null for an object that was created by hand. */
  readonly extension: string | null
}

/** A file of the user's that cannot be used, and why. */
export interface InvalidFile {
  /** The name of a migration, or the path of a configuration. */
  readonly file: string
  readonly problem: string
  /** Where it is: the file, or one that it imports. */
  readonly path?: string
  /** The line in it; null where it is not known. */
  readonly line?: number | null
}

/** An index that pgvector cannot make, and why, for each way that was tried. */
export interface ImpossibleIndex {
  /** The table and the column. */
  readonly column: string
  readonly type: string
  readonly dimensions: number | null
  readonly method: string
  readonly metric: string
  readonly problems: readonly string[]
}

/** Who holds the lock on migrations: a run of ours that was noted. */
export interface LockHolder {
  readonly host: string
  readonly processId: number
  /** The operating system's user; null where it was not known. */
  readonly user: string | null
  readonly role: string
  readonly command: string
  /** ISO 8601. */
  readonly since: string
}

/** A migration that failed, and where it leaves the run. */
export interface FailedMigration {
  readonly migration: string
  readonly direction: 'up' | 'down'
  /** False where it ran outside a transaction: what it did before it failed stays. */
  readonly transactional: boolean
  /** What this run had done before. */
  readonly done: readonly string[]
  /** What this run did not come to. */
  readonly left: readonly string[]
}

/** A run that a signal ended, and where it leaves things. */
export interface InterruptedMigration {
  /** The one that was running, and was rolled back where it ran in a transaction; null between two of them. */
  readonly migration: string | null
  readonly signal: string
  /** What this run had done before. */
  readonly done: readonly string[]
  /** What this run did not come to, without the one that was running. */
  readonly left: readonly string[]
}

/** A rehearsal whose transaction was ended from inside, so that its rollback did not take everything back. */
export interface CommittedRehearsal {
  /** The migration during which the transaction ended; null where that is not known. */
  readonly migration: string | null
  /** How it ended. After a rollback, what was sent next was committed statement by statement. */
  readonly end: 'committed' | 'rolled back'
  /** What the migrations had sent, as far as it was recorded. */
  readonly statements: readonly string[]
}

/** A migration that does not run where plans are made. */
export interface FailedPlan {
  readonly migration: string
  /** The statement that failed; null where something else did. */
  readonly statement: string | null
  /** Whether it was applied to the database already, and was only run again for those that come after it. */
  readonly isApplied: boolean
}

/** A table of the migrations that another role controls. */
export interface DistrustedTable {
  /** With its schema, quoted where it must be. */
  readonly table: string
  /** Clauses that go after its name. */
  readonly reasons: readonly string[]
  /** Statements, for a superuser who has looked at what the table contains. */
  readonly remedies: readonly string[]
}

/** Why a database takes no writes, and where they have to go. */
export interface ReadOnly {
  /** It is a standby, or the transaction (or its default) is read only. */
  readonly reason: 'standby' | 'transaction'
  /** Host and port that a standby receives its changes from; null if this role may not see them. */
  readonly primary: string | null
}

interface ErrorText {
  readonly message: string
  readonly hint: string
}

const SHOWN_OF_STATEMENT = 200
const SHOWN_OF_LIST = 10

function listed(names: readonly string[]): string {
  const more = names.length - SHOWN_OF_LIST
  return more > 0 ? `${names.slice(0, SHOWN_OF_LIST).join(', ')} and ${more} more` : names.join(', ')
}

function capitalised(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}

function placeOf({ file, path, line = null }: Omit<InvalidFile, 'problem'>): string {
  if (path === undefined || (line === null && path === file)) return ''
  return ` (${path}${line === null ? '' : `:${line}`})`
}

function endBackends(backends: readonly number[]): string {
  return backends.map((processId) => `select pg_terminate_backend(${processId});`).join(' ')
}

function shownStatements(statements: readonly string[]): string {
  const more = statements.length - SHOWN_OF_LIST
  const lines = statements
    .slice(0, SHOWN_OF_LIST)
    .map((statement) => `- ${statement.replaceAll(/\s+/g, ' ').trim().slice(0, SHOWN_OF_STATEMENT)}`)
  return [...lines, ...(more > 0 ? [`- and ${more} more`] : [])].join('\n')
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
  RELATION_NOT_FOUND: ({ name, kind }) => ({
    message: `${capitalised(kind)} ${name} does not exist`,
    hint: 'Check the name, its case and its schema. Without { schema }, the search path of this role decides.',
  }),
  COLUMN_DIFFERS: ({ column, existing, wanted }) => ({
    message: `Column ${column} is of type ${existing}, not ${wanted}`,
    hint: 'Nothing was changed. Declare the column as it is, or add a new column under another name and backfill it.',
  }),
  COLUMN_NEEDS_VALUES: ({ column }) => ({
    message: `Column ${column} cannot be added as NOT NULL: the table has rows, and they would have no value for it`,
    hint:
      'Add it without { notNull }, backfill it with backfillVectors, and in a later migration run: ' +
      'alter table … alter column … set not null.',
  }),
  COLUMN_IN_USE: ({ column, dependents }) => ({
    message: `Column ${column} is in use by ${dependents.join(', ')}`,
    hint: 'Nothing was changed. Drop what uses it first, in the same migration (DropVectorIndex for an index).',
  }),
  INDEX_NOT_POSSIBLE: ({ column, type, dimensions, method, metric, problems }) => ({
    message:
      `pgvector has no ${method} index for the ${metric} distance of ${column} ` +
      `(${type}${dimensions === null ? '' : `(${dimensions})`}): ${problems.join('; ')}`,
    hint:
      dimensions === null
        ? 'Declare the number of dimensions of the column: all embeddings of a model have the same length.'
        : 'Choose another type, method or metric, or a model with fewer dimensions. Many models can shorten their embeddings.',
  }),
  INDEX_DIFFERS: ({ index, existing, wanted }) => ({
    message: `Index ${index} already exists with a different definition:\n  existing: ${existing}\n  wanted:   ${wanted}`,
    hint: 'Nothing was changed. Give the new index another { name }, or drop the old one in an earlier migration.',
  }),
  INDEX_NEEDS_ROWS: ({ index, rows, partitions }) => ({
    message:
      `An ivfflat index is trained on existing rows, and ` +
      (partitions.length === 0
        ? `the table ${rows === 0 ? 'is empty' : `has ${rows}`}: ${index} would have almost no recall`
        : `there are none in ${listed(partitions)}: ${index} would have almost no recall there`),
    hint:
      'Load the data first, or use hnsw, which needs no rows.' +
      (partitions.length === 0 ? '' : " { whenEmpty: 'build' } builds the index of those partitions anyway."),
  }),
  INDEX_NEEDS_MEMORY: ({ index, kind, needed }) => ({
    message: `Not enough ${kind} to build ${index}: ${needed}`,
    hint:
      kind === 'shared memory'
        ? 'Give the server more shared memory (Docker: --shm-size, Compose: shm_size), or build with { workers: 0 }.'
        : 'Raise { maxMemory }, or declare fewer lists.',
  }),
  INDEX_BUILD_FAILED: ({ index, problem }) => ({
    message: `Index ${index} was not built: ${problem}`,
    hint: 'Fix the cause and run the same command again. Leftovers of the failed build are detected and replaced.',
  }),
  INDEX_DROP_FAILED: ({ index, problem }) => ({
    message: `Index ${index} was not dropped: ${problem}`,
    hint: 'Nothing was changed. Fix the cause and run the same command again.',
  }),
  TENANT_INDEXES_NOT_POSSIBLE: ({ table, problems }) => ({
    message: `Tenants of ${table} cannot have indexes of their own: ${problems.join('; ')}`,
    hint:
      'Nothing was changed. The rule needs an ordinary table all of whose rows this role may read, and a column of type ' +
      'smallint, integer, bigint, uuid, text or varchar. On a partitioned table, declare the rule for its partitions, or ' +
      'make each big tenant a partition.',
  }),
  BACKFILL_FAILED: ({ column, filled, problem }) => ({
    message: `The backfill of ${column} stopped: ${problem}`,
    hint: `The finished rows stay (${filled} in this run). Fix the cause and run it again: it continues with the others.`,
  }),
  IN_STEP_NOT_POSSIBLE: ({ column, problems }) => ({
    message: `The vectors of ${column} cannot be kept in step with their rows:\n${problems.map((problem) => `- ${problem}`).join('\n')}`,
    hint: 'Nothing was changed. Fix what is named above, then run this again.',
  }),
  NOT_KEPT_IN_STEP: ({ column, problems }) => ({
    message: `The vectors of ${column} are not kept in step with their rows:\n${problems.map((problem) => `- ${problem}`).join('\n')}`,
    hint: 'Run a migration with new KeepInStep(…) for this embedding, or call setUpInStep: it creates what is missing and replaces what was altered.',
  }),
  COPY_FAILED: ({ table, row, column, problem }) => ({
    message: `${row === null ? 'The rows' : `Row ${row}`} could not be copied into ${table}: ${column === null ? '' : `${column} `}${problem}`,
    hint: 'Nothing was stored. Correct the rows, then copy them again.',
  }),
  MODEL_NOT_SEARCHABLE: ({ embedding, model, searchable, embeds }) => ({
    message:
      `${embedding} cannot be searched with the model ${model}: its vectors are of ${searchable.join(' and ')}` +
      (embeds.length === 0 ? '' : `, and embed calls ${embeds.join(' and ')}`),
    hint:
      embeds.length === 0
        ? 'Make the vector with a model of the column, or pass the text and let embed make it.'
        : 'Add the model to embed: { model: (text) => … }. A release that searches during a change of model needs both models.',
  }),
  MODEL_CHANGE_REFUSED: ({ embedding, problems }) => ({
    message: `The change of model of ${embedding} did not take this step:\n${problems.map((problem) => `- ${problem}`).join('\n')}`,
    hint: 'Nothing was changed. Run npx knex-pgvector model status, which shows the phase and the next command.',
  }),
  TABLE_BUSY: ({ table, attempts, milliseconds, blockers }) => ({
    message:
      `Could not lock table ${table} in ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'} (${millisecondsText(milliseconds)})` +
      (blockers.length === 0
        ? ''
        : `; backend PID ${blockers.join(', ')} ${blockers.length === 1 ? 'holds' : 'hold'} it`),
    hint:
      'No other session was blocked, and nothing was changed. Run it again when long transactions have ended: ' +
      "select pid, state, xact_start, query from pg_stat_activity where state <> 'idle' order by xact_start;",
  }),
  SESSION_SHARED: ({ processes, changed = [] }) => ({
    message:
      'The connection does not stay on one backend' +
      (processes.length === 0 ? '' : ` (backend PID ${processes.join(', then ')})`),
    hint:
      'A pooler in transaction or statement mode shares connections, so settings and locks would leak to other sessions. Use ' +
      `session mode or the server's own port; ${changed.length === 0 ? 'nothing was changed' : `before that, ${changed.join(', ')}`}.`,
  }),
  SEARCH_OPTION_NOT_SUPPORTED: ({ option, since, installed }) => ({
    message: `The search option ${option} needs pgvector ${since}; ${installed} is installed`,
    hint: `Leave ${option} out, or update the extension: ALTER EXTENSION vector UPDATE;`,
  }),
  INVALID_MIGRATION: ({ problem, ...place }) => ({
    message: `Invalid migration ${place.file}: ${problem}${placeOf(place)}`,
    hint: 'Export the functions up and down from the migration file.',
  }),
  KNEXFILE_NOT_FOUND: ({ folder }) => ({
    message: `No Knex configuration found in ${folder}`,
    hint: 'Name the file with --knexfile, or the server with --database-url or DATABASE_URL.',
  }),
  INVALID_KNEXFILE: ({ problem, ...place }) => ({
    message: `Invalid Knex configuration ${place.file}: ${problem}${placeOf(place)}`,
    hint: 'Export a configuration with a connection, one for each environment, or a function that returns them.',
  }),
  ENVIRONMENT_NOT_FOUND: ({ environment, known }) => ({
    message: `The knexfile has no environment ${environment}`,
    hint: known.length === 0 ? 'It has no environments: omit --env.' : `It has ${known.join(', ')}.`,
  }),
  CONFIRMATION_NEEDED: ({ migrations }) => ({
    message: `Rolling back ${migrations.join(', ')} needs confirmation, and there is no terminal to ask on`,
    hint: 'See what would be lost with --dry-run, then run it again with --yes.',
  }),
  MIGRATIONS_NOT_FOUND: ({ directory, reason }) => ({
    message:
      reason === 'ENOENT'
        ? `The migrations folder ${directory} does not exist`
        : `The migrations folder ${directory} cannot be read (${reason})`,
    hint:
      'Correct migrations.directory in the Knex configuration, or the directory of its migrationSource. To create the ' +
      'folder with a first migration: npx knex-pgvector new NAME',
  }),
  MIGRATION_NOT_FOUND: ({ version, near }) => ({
    message: `Migration ${version} does not exist`,
    hint: near.length === 0 ? 'There are no migrations here.' : `Did you mean ${near.join(', ')}?`,
  }),
  MIGRATION_AMBIGUOUS: ({ version, matches }) => ({
    message: `"${version}" matches more than one migration`,
    hint: `Type more of the name: ${matches.join(', ')}`,
  }),
  MIGRATION_FILES_MISSING: ({ missing }) => ({
    message: `Applied migrations are missing on disk: ${missing.join(', ')}`,
    hint: 'Check out the version of the application that has them, or correct the migrations directory.',
  }),
  MIGRATION_FAILED: ({ migration, direction, transactional }) => ({
    message: `Migration ${migration} failed (${direction})`,
    hint:
      (transactional
        ? 'It was rolled back as a whole. '
        : 'It runs outside a transaction: what it did before it failed stays, and running it again continues from there. ') +
      'Fix the cause, then run the same command again.',
  }),
  MIGRATIONS_LOCKED: ({ holder, milliseconds, backends = [] }) => ({
    message:
      holder === null
        ? `Another process is running migrations, or stock Knex left its lock set (waited ${millisecondsText(milliseconds)})`
        : `Migrations are being run by process ${holder.processId} on ${holder.host} ` +
          `(user ${holder.user ?? 'unknown'}, role ${holder.role}, ${holder.command}) since ${timeText(holder.since)} (waited ${millisecondsText(milliseconds)})`,
    hint:
      holder === null && backends.length === 0
        ? 'Wait for it. If no process is running migrations: npx knex-pgvector unlock --force'
        : 'Wait for it, or raise --wait. If that process crashes, the next run continues by itself' +
          (backends.length === 0
            ? '.'
            : ` once its work has ended on the server. To end that now: ${endBackends(backends)}`),
  }),
  CONNECTION_LOST: ({ processId, reason, address }) => ({
    message:
      address === undefined
        ? `The connection to ${processId === null ? 'the server' : `backend PID ${processId}`} was lost: ${reason}`
        : `No connection to ${address}: ${reason}`,
    hint:
      address === undefined
        ? 'Check the connection to the server, then run the same command again.'
        : 'Check that host and port belong to a PostgreSQL server and that no firewall blocks them. A server that is ' +
          'starting or overloaded may need longer: raise acquireConnectionTimeout in the Knex configuration.',
  }),
  MIGRATION_LOCK_LOST: ({ migration, transactional }) => ({
    message: `The migration lock was lost during ${migration}, which was ${transactional ? 'rolled back' : 'cancelled and not recorded'}`,
    hint:
      (transactional ? '' : 'It runs outside a transaction: what it had done stays. ') +
      'Check the connection to the server, then run the same command again.',
  }),
  MIGRATION_INTERRUPTED: ({ migration, signal, done, left }) => ({
    message:
      `Interrupted by ${signal}${migration === null ? '' : ` during ${migration}`}` +
      (done.length + left.length === 0 ? '' : ` (done: ${done.length}, remaining: ${left.length})`),
    hint: 'Migrations that were applied before stay applied. Run the same command again to continue.',
  }),
  REHEARSAL_COMMITTED: ({ migration, end, statements }) => ({
    message:
      `The rehearsal changed the database: ${migration ?? 'a migration or a hook'} ` +
      (end === 'committed' ? 'committed its transaction' : 'rolled its transaction back and continued without one') +
      (statements.length === 0 ? '' : `. It had sent:\n${shownStatements(statements)}`),
    hint:
      'Check which of these changes exist, and revert them by hand. Then remove the commit or rollback from the ' +
      'migration: the runner ends its transaction.',
  }),
  TABLE_NOT_TRUSTED: ({ table, reasons, remedies }) => ({
    message: `Table ${table} is not trusted: ${reasons.join('; ')}`,
    hint:
      'Another role controls it and could run code with your privileges, or forge its rows. Check what it contains, ' +
      `then as a superuser: ${remedies.join(' ')}`,
  }),
  UNLOCK_REFUSED: ({ holder }) => ({
    message:
      holder === null
        ? "Knex's lock is set, and no run of this library is recorded for it (stock Knex)"
        : `The lock is held by process ${holder.processId} on ${holder.host} (user ${holder.user ?? 'unknown'}, ` +
          `role ${holder.role}, ${holder.command}) since ${timeText(holder.since)}, and it is still working`,
    hint:
      holder === null
        ? 'Make sure that no process is running migrations, then run: npx knex-pgvector unlock --force'
        : `Wait for it, or stop process ${holder.processId} on ${holder.host}: the lock ends with its connection.`,
  }),
  ADOPT_MISMATCH: ({ problems }) => ({
    message: `The database does not match these migrations:\n${problems
      .map(({ migration, problem }) => `- ${migration}: ${problem}`)
      .join('\n')}`,
    hint:
      'Nothing was recorded. Adopt up to the last migration that exists completely (--to), then apply the others: ' +
      'npx knex-pgvector up',
  }),
  REPLAY_FAILED: ({ migration }) => ({
    message: `Migration ${migration} failed on the embedded database, so its effect is unknown`,
    hint: 'Read the cause. A migration that needs another extension or existing data cannot run in memory.',
  }),
  PLAN_FAILED: ({ migration, statement, isApplied }) => ({
    message:
      `${isApplied ? 'The applied migration' : 'Migration'} ${migration} failed on the embedded database that makes the plan` +
      (statement === null ? '' : `: ${statement.replaceAll(/\s+/g, ' ').slice(0, SHOWN_OF_STATEMENT)}`),
    hint:
      'It has pgvector and the extensions of PGlite, the names of your roles and schemas, and only the data that ' +
      'migrations insert. To run the migration on your server and roll it back: npx knex-pgvector rehearse',
  }),
  MIGRATION_EXISTS: ({ name, path }) => ({
    message: `A migration ${name} already exists: ${path}`,
    hint: 'Choose another name.',
  }),
  PARSER_NOT_INSTALLED: ({ missing }) => ({
    message: `lint needs the package ${missing}`,
    hint: `Run: npm install --save-dev ${missing}`,
  }),
  EMBEDDED_NOT_INSTALLED: ({ missing }) => ({
    message: `The embedded database needs the package ${missing}`,
    hint: 'Run: npm install @electric-sql/pglite @electric-sql/pglite-pgvector',
  }),
  EMBEDDED_NEEDS_FLAG: ({ flag }) => ({
    message: `The embedded database needs Node's flag ${flag} here`,
    hint: `Run the tests with it: NODE_OPTIONS=${flag} npx jest`,
  }),
  EMBEDDED_IN_USE: ({ directory, processId }) => ({
    message: `The embedded database in ${directory} is in use by process ${processId}`,
    hint:
      'Only one process can use it at a time: stop that process, or use another directory. ' +
      `If process ${processId} is another program, delete ${directory}.pid.`,
  }),
}
