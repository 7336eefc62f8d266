import { callbackify } from 'node:util'

import type { Knex } from 'knex'

import { heldLocksSql, watchLocks, type TakenLock } from './locks.ts'
import { withoutOurs, type Answered } from './answers.ts'
import { refuseToEndTransaction } from '../../sql-text/transaction-guard.ts'

/** A statement that a migration sent; several, where it sent them in one round trip. */
export interface RehearsedStatement {
  readonly sql: string
  readonly milliseconds: number
  /** How many rows it changed or returned; null where it does neither. */
  readonly rows: number | null
  /** The locks it took first: what an earlier statement holds already is not told again. */
  readonly locks: readonly TakenLock[]
  /** What the server said where it failed. */
  readonly error?: string
}

/** Hears every statement of a transaction, its savepoints included. */
export interface Recorder {
  /** Begins the list of a migration; what is sent before is not recorded. */
  begin(migration: string): RehearsedStatement[]
  end(): void
  /** The milliseconds that were spent on asking for locks. */
  overhead(): number
  /** Leaves the connection as it was. */
  stop(): void
}

type Callback = (error: unknown, answer: Answered) => void

/** The part of a node-postgres connection that Knex sends statements through. */
interface Connection {
  query: (
    config: string | { readonly text?: string; readonly submit?: unknown },
    ...rest: readonly unknown[]
  ) => unknown
}

/**
 * Records what is sent on the connection of a transaction, one statement after the other.
 *
 * It listens at the connection, because Knex gives every savepoint a client of its own, and its events do not wait:
 * the locks of a statement must be read before the next one is sent.
 */
export async function recordStatements(trx: Knex.Transaction, withLocks: boolean): Promise<Recorder> {
  const connection = (await trx.client.acquireConnection()) as Connection
  const newLocks = withLocks ? await watchLocks(trx) : () => Promise.resolve([])
  const isOwn = Object.hasOwn(connection, 'query')
  const original = connection.query
  let current: { readonly migration: string; readonly statements: RehearsedStatement[] } | undefined
  let isFirst = true
  let overhead = 0
  let turn: Promise<unknown> = Promise.resolve()

  const observe = async (sql: string, send: () => Promise<Answered>): Promise<Answered> => {
    // Only what the migration sends is looked at, and not what the runner adds around it.
    const { migration, statements } = current ?? {}
    if (migration === undefined || statements === undefined) return send()
    refuseToEndTransaction(sql, migration)
    // What the runner has locked so far is not the migration's.
    if (isFirst) await newLocks()
    isFirst = false
    const started = performance.now()
    const elapsed = (): number => performance.now() - started
    const answered = await send().catch((error: unknown) => {
      statements.push({ sql, milliseconds: elapsed(), rows: null, locks: [], error: messageOf(error) })
      throw error
    })
    const milliseconds = elapsed()
    const locks = await newLocks()
    overhead += elapsed() - milliseconds
    const told = withoutOurs(sql, answered)
    if (told !== null) statements.push({ ...told, milliseconds, locks })
    return answered
  }

  connection.query = (config, ...rest) => {
    const sql = typeof config === 'string' ? config : config.text
    // A stream or a COPY is a statement that handles its own answers.
    const isPlain = typeof config === 'string' || config.submit === undefined
    if (sql === undefined || sql === heldLocksSql || !isPlain) return original.call(connection, config, ...rest)
    const callback = rest.find((argument): argument is Callback => typeof argument === 'function')
    const values = rest.filter((argument) => argument !== callback)
    const answer = turn.then(() =>
      observe(sql, () => called((done) => original.call(connection, config, ...values, done))),
    )
    turn = answer.catch(() => undefined)
    if (callback === undefined) return answer
    callbackify(() => answer)(callback)
    return undefined
  }

  return {
    begin: (migration) => {
      isFirst = true
      current = { migration, statements: [] }
      return current.statements
    },
    end: () => {
      current = undefined
    },
    overhead: () => overhead,
    stop: () => {
      if (isOwn) connection.query = original
      else Reflect.deleteProperty(connection, 'query')
    },
  }
}

function called(call: (done: Callback) => unknown): Promise<Answered> {
  return new Promise((resolve, reject) => {
    call((error, answer) => {
      if (answer === undefined) reject(error)
      else resolve(answer)
    })
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
