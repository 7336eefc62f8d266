import type { Knex } from 'knex'

import {
  clientOf,
  discard,
  hangUp,
  identityOf,
  type Connection,
  type KnexClient,
  type QueryResult,
} from './knex-inside.ts'
import { acquire } from './lost-connection.ts'
import { sendMessage, type MessageOptions } from './messages.ts'
import { pinned, PLAIN_NAMES } from './search-path.ts'
import { rememberStatements } from './server-message.ts'
import { assertPostgres, notPostgres } from './supported.ts'
import { defaultDeadlines } from './deadlines.ts'
import type { Terms } from './terms.ts'
import { inTransaction, type TransactionOptions } from './transaction.ts'
import { identify, watchAnswers } from './watch-answers.ts'
import type { BackendIdentity } from './look.ts'

/** A Knex instance or a Knex transaction, as a user passes it. */
export type Database = Knex

/** The answer to one of our queries: one value in one row. It is json, or text that is not json. */
type Answer = object | number | boolean | string | null | undefined

/**
 * The target of statements: a pool, a transaction, or one held connection. Everything that this library sends goes
 * through one of these few methods. A statement is plain SQL, question marks included.
 */
export interface Session {
  /** For the user's own code: migrations, hooks, conditions. */
  readonly knex: Knex
  readonly isInTransaction: boolean
  /** The same object for a Knex instance and its transactions, as a key for facts about their database. */
  readonly identity: object
  /** The limits of its waits. */
  readonly terms: Terms
  /** Returns the same session with other limits. */
  withTerms(terms: Partial<Terms>): Session
  /**
   * Sends a query of catalogs and settings (a SELECT without INSERT, UPDATE or DELETE in it) and returns the `state` of
   * its only row. Its names resolve in pg_catalog, but it runs under the caller's search path.
   */
  ask<State extends Answer>(query: string): Promise<State>
  /** Sends several such queries in one round trip; undefined for a query that does not return exactly one row. */
  askEach(queries: readonly string[]): Promise<readonly unknown[]>
  /**
   * Like `ask`, for a query that contains the user's own text, reads a user's table, or writes. Its names also resolve
   * through the user's search path, so ours are qualified.
   */
  askAsCaller<State extends Answer>(query: string, bindings?: readonly unknown[]): Promise<State>
  /** Sends several such queries in one round trip. Each sees the effects of those before it. */
  askEachAsCaller(queries: readonly string[]): Promise<readonly unknown[]>
  /** Sends statements that change something, in one round trip, under the user's search path. */
  send(statements: string | readonly string[]): Promise<void>
  /** Sends one such statement with its bindings, and returns how many rows it changed. */
  sendRows(statement: string, bindings: readonly unknown[]): Promise<number>
  /** Sends such statements, followed by a query for their result, and returns its `state`. */
  sendAndAsk<State extends Answer>(statements: readonly string[], query: string): Promise<State>
  /** Sends statements, rolls back their effects in the same round trip, and returns the answer to each of them. */
  inRolledBackTransaction(statements: readonly string[]): Promise<readonly QueryResult[]>
  /** Runs work in its own transaction, or in a savepoint if a transaction is already open. */
  transaction<Result>(work: (trx: Session) => Promise<Result>, options?: TransactionOptions): Promise<Result>
  /** Holds one connection while `work` needs it, because settings, locks and notices belong to a connection. */
  hold<Result>(work: (held: HeldConnection) => Promise<Result>): Promise<Result>
}

/** One connection of a pool, or the connection of a transaction. */
export interface HeldConnection {
  readonly session: Session
  readonly connection: Connection
  /** The backend PID reported at the start. A pooler reports a number of its own. */
  readonly processId: number | null
  /** Makes the pool close it afterwards, because its original state could not be restored. */
  readonly discard: (reason: unknown) => void
  /** Closes it at once, which ends everything that its session holds. */
  readonly hangUp: (reason: unknown) => void
  /** Remembers its backend, as that backend reported itself. */
  readonly identify: (identity: BackendIdentity) => void
}

/**
 * Creates a session from what a user passed. It is the first line of every public function.
 *
 * @throws {PgvectorMigrationError} UNSUPPORTED_DATABASE if this is not a PostgreSQL that Knex's `pg` client reaches.
 */
export function sessionOf(db: Database): Session {
  assertPostgres(db)
  rememberStatements(db)
  return new KnexSession(db, null, { deadlines: defaultDeadlines })
}

class KnexSession implements Session {
  readonly knex: Knex
  readonly isInTransaction: boolean
  readonly identity: object
  readonly terms: Terms
  readonly #client: KnexClient
  readonly #connection: Connection | null

  constructor(knex: Knex, connection: Connection | null, terms: Terms) {
    this.knex = knex
    this.isInTransaction = knex.isTransaction === true
    this.#client = clientOf(knex)
    this.identity = identityOf(knex)
    this.#connection = connection
    this.terms = terms
  }

  withTerms(terms: Partial<Terms>): Session {
    return new KnexSession(this.knex, this.#connection, { ...this.terms, ...terms })
  }

  async ask<State extends Answer>(query: string): Promise<State> {
    const [answer] = await this.#pinned([query])
    return this.#stateOf(answer) as State
  }

  async askEach(queries: readonly string[]): Promise<readonly unknown[]> {
    return (await this.#pinned(queries)).map((answer) =>
      answer?.rows.length === 1 ? this.#stateOf(answer) : undefined,
    )
  }

  async askAsCaller<State extends Answer>(query: string, bindings: readonly unknown[] = []): Promise<State> {
    const [answer] = await this.#roundTrip(query, { bindings, isQuestion: true })
    return this.#stateOf(answer) as State
  }

  async askEachAsCaller(queries: readonly string[]): Promise<readonly unknown[]> {
    const answers = await this.#roundTrip(queries.join(';\n'), { isQuestion: true })
    return answers.map((answer) => this.#stateOf(answer))
  }

  async send(statements: string | readonly string[]): Promise<void> {
    const sql = typeof statements === 'string' ? statements : statements.join(';\n')
    if (sql !== '') await this.#roundTrip(sql)
  }

  async sendRows(statement: string, bindings: readonly unknown[]): Promise<number> {
    const [answer] = await this.#roundTrip(statement, { bindings })
    return answer?.rowCount ?? 0
  }

  async sendAndAsk<State extends Answer>(statements: readonly string[], query: string): Promise<State> {
    const answers = await this.#roundTrip([...statements, query].join(';\n'), { isQuestion: 'last' })
    return this.#stateOf(answers.at(-1)) as State
  }

  async inRolledBackTransaction(statements: readonly string[]): Promise<readonly QueryResult[]> {
    const [open, ...undo] = this.isInTransaction
      ? [`savepoint ${TRIAL}`, `rollback to savepoint ${TRIAL}`, `release savepoint ${TRIAL}`]
      : ['begin', 'rollback']
    try {
      const sql = [open, PLAIN_NAMES, ...statements, ...undo].join(';\n')
      const answers = await this.#roundTrip(sql, { isQuestion: true })
      return answers.slice(2, 2 + statements.length)
    } catch (error) {
      await this.#roundTrip(undo.join(';\n'), { isQuestion: true }).catch(() => undefined)
      throw error
    }
  }

  transaction<Result>(work: (trx: Session) => Promise<Result>, options: TransactionOptions = {}): Promise<Result> {
    const { knex, terms } = this
    return inTransaction(
      { knex, terms, connection: this.#connection },
      (trx) => work(new KnexSession(trx, null, terms)),
      options,
    )
  }

  async hold<Result>(work: (held: HeldConnection) => Promise<Result>): Promise<Result> {
    const connection = this.#connection ?? (await acquire(this.#client, this.terms))
    const stopWatching = watchAnswers(this.knex, connection, this.terms)
    try {
      const session = new KnexSession(this.knex, connection, this.terms)
      return await work({
        session,
        connection,
        processId: connection.processID ?? null,
        discard: (reason) => discard(connection, reason),
        hangUp: (reason) => hangUp(connection, reason),
        identify: (identity) => identify(connection, identity),
      })
    } finally {
      stopWatching()
      if (this.#connection === null) await this.#client.releaseConnection(connection)
    }
  }

  // A server that returns fewer answers than statements is not PostgreSQL.
  async #pinned(queries: readonly string[]): Promise<readonly (QueryResult | undefined)[]> {
    const { sql, answers } = pinned(queries, this.isInTransaction)
    const all = await this.#roundTrip(sql, { isQuestion: true })
    return answers.map((place) => all[place])
  }

  async #roundTrip(sql: string, options: MessageOptions = {}): Promise<readonly QueryResult[]> {
    const connection = this.#connection ?? (await acquire(this.#client, this.terms))
    const stopWatching = watchAnswers(this.knex, connection, this.terms)
    try {
      return await sendMessage(this.#client, connection, sql, options)
    } finally {
      stopWatching()
      if (this.#connection === null) await this.#client.releaseConnection(connection)
    }
  }

  #stateOf(answer: QueryResult | undefined): unknown {
    if (!Array.isArray(answer?.rows)) throw notPostgres(this.knex)
    const [state] = Object.values(answer.rows[0] ?? {})
    // A caller may have configured pg to return json as text.
    return typeof state === 'string' && JSON_TYPES.has(answer?.fields?.[0]?.dataTypeID) ? JSON.parse(state) : state
  }
}

const TRIAL = 'knex_pgvector_trial'
const JSON_TYPES: ReadonlySet<number | undefined> = new Set([114, 3802])
