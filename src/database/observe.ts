import { callbackify } from 'node:util'

import { clientOf, type QueryResult } from './knex-inside.ts'
import { isSendingQuestion } from './messages.ts'
import type { Session } from './session.ts'

/** The answer of node-postgres; an array for several statements. */
export type Answered = QueryResult | readonly QueryResult[]

/** Receives each message before it is sent, and sends it. */
export type Observer = (sql: string, send: () => Promise<Answered>) => Promise<Answered>

type Callback = (error: unknown, answer: Answered) => void

/** The part of a node-postgres connection through which Knex sends statements. */
interface Sending {
  query: (
    config: string | { readonly text?: string; readonly submit?: unknown },
    ...rest: readonly unknown[]
  ) => unknown
}

/**
 * Passes everything that is sent on the connection of a transaction to an observer, one message after the other, except
 * our own queries. Returns a function that ends this.
 *
 * A stream or a COPY handles its own answers and cannot be observed; `refuse` may throw if it must not be sent.
 *
 * It listens at the connection, because Knex gives every savepoint its own client and does not wait for event
 * listeners.
 */
export async function observe(trx: Session, observer: Observer, refuse: (sql: string) => void): Promise<() => void> {
  const connection = (await clientOf(trx.knex).acquireConnection()) as unknown as Sending
  const isOwn = Object.hasOwn(connection, 'query')
  const original = connection.query
  let turn: Promise<unknown> = Promise.resolve()

  connection.query = (config, ...rest) => {
    const sql = typeof config === 'string' ? config : config.text
    const isPlain = typeof config === 'string' || config.submit === undefined
    if (sql !== undefined && !isPlain) refuse(sql)
    if (sql === undefined || isSendingQuestion() || !isPlain) return original.call(connection, config, ...rest)
    const callback = rest.find((argument): argument is Callback => typeof argument === 'function')
    const values = rest.filter((argument) => argument !== callback)
    const answer = turn.then(() =>
      observer(sql, () => called((done) => original.call(connection, config, ...values, done))),
    )
    turn = answer.catch(() => undefined)
    if (callback === undefined) return answer
    callbackify(() => answer)(callback)
    return undefined
  }

  return () => {
    if (isOwn) connection.query = original
    else Reflect.deleteProperty(connection, 'query')
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
