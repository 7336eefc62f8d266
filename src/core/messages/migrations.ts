import { millisecondsText, timeText } from '../time-text.ts'
import { type InvalidFile, SHOWN_OF_LIST, placeOf, type Messages } from './text.ts'

/** The facts of errors of migrations and the connection that they run on. */
export interface MigrationErrors {
  /** The processes of the server that one connection was given; none where the pooler itself refused a transaction. */
  readonly SESSION_SHARED: {
    readonly processes: readonly number[]
    /** What was changed before it was noticed, in the past tense. */
    readonly changed?: readonly string[]
  }
  readonly INVALID_MIGRATION: InvalidFile
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

const SHOWN_OF_STATEMENT = 200

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

export const migrationMessages: Messages<MigrationErrors> = {
  SESSION_SHARED: ({ processes, changed = [] }) => ({
    message:
      'The connection does not stay on one backend' +
      (processes.length === 0 ? '' : ` (backend PID ${processes.join(', then ')})`),
    hint:
      'A pooler in transaction or statement mode shares connections, so settings and locks would leak to other sessions. Use ' +
      `session mode or the server's own port; ${changed.length === 0 ? 'nothing was changed' : `before that, ${changed.join(', ')}`}.`,
  }),
  INVALID_MIGRATION: ({ problem, ...place }) => ({
    message: `Invalid migration ${place.file}: ${problem}${placeOf(place)}`,
    hint: 'Export the functions up and down from the migration file.',
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
}
