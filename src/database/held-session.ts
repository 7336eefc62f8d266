import { literal } from '../core/sql.ts'
import { defaultDeadlines } from './deadlines.ts'
import { whileAlive, type Backend } from './liveness.ts'
import { STARTED_AT } from './look.ts'
import { isEmbeddedSql } from './server-facts.ts'
import type { Session } from './session.ts'
import { assertSameProcess } from './shared-session.ts'
import { currentTarget } from './target.ts'

/** A session on one connection that is held: settings, locks and notices belong to a connection. */
export interface HeldSession extends Session {
  readonly processId: number
  /** The embedded database has no other connection. */
  readonly isEmbedded: boolean
  /** Refuses a connection that a pooler shares out statement by statement (SESSION_SHARED); it asks once. */
  assertOwn(): Promise<void>
  /** Runs a statement that may take long, and ends the wait for it where its backend is gone (CONNECTION_LOST). */
  whileAlive<Result>(run: () => Promise<Result>): Promise<Result>
  /** Runs with settings of its own, and puts back what was there, also after an error. */
  withSettings<Result>(settings: Readonly<Record<string, string>>, run: () => Promise<Result>): Promise<Result>
}

type Notice = { readonly message?: string }

/** Takes a connection out of Knex's pool (a transaction has its own) for as long as `run` needs it. */
export async function withHeldSession<Result>(
  session: Session,
  onNotice: (message: string) => void,
  run: (held: HeldSession) => Promise<Result>,
): Promise<Result> {
  const listener = ({ message = '' }: Notice): void => onNotice(message)
  return session.hold(async ({ session: held, connection, processId, discard, hangUp, identify }) => {
    connection.on?.('notice', listener)
    try {
      const { startedAt, ...about } = await held.ask<
        Pick<HeldSession, 'processId' | 'isEmbedded'> & Pick<Backend, 'startedAt'>
      >(`select json_build_object('processId', pg_backend_pid(), 'startedAt', ${STARTED_AT},
          'isEmbedded', ${isEmbeddedSql}) as state`)
      if (processId === about.processId) identify({ processId, startedAt })
      // In a transaction every pooler keeps to one process.
      const isOwn = processId === about.processId || about.isEmbedded || held.isInTransaction
      let asked = isOwn ? Promise.resolve() : undefined
      const assertOwn = (): Promise<void> => (asked ??= assertSameProcess(held, about.processId))
      const withOwnSettings: HeldSession['withSettings'] = async (settings, work) => {
        await assertOwn()
        return withSettings(held, discard, settings, work)
      }
      const backends = about.isEmbedded ? [] : [{ processId: about.processId, startedAt, hangUp }]
      const alive: HeldSession['whileAlive'] = (work) => whileAlive(session, defaultDeadlines, () => backends, work)
      return await run(Object.assign(held, { ...about, assertOwn, whileAlive: alive, withSettings: withOwnSettings }))
    } finally {
      connection.removeListener?.('notice', listener)
    }
  })
}

async function withSettings<Result>(
  session: Session,
  discard: (reason: unknown) => void,
  settings: Readonly<Record<string, string>>,
  run: () => Promise<Result>,
): Promise<Result> {
  // In a transaction they are local to it, so that they go with it whatever happens.
  const set = (values: Readonly<Record<string, string | null>>): string => {
    const calls = Object.entries(values).map(([name, value]) =>
      value === null ? 'null' : `set_config(${literal(name)}, ${literal(value)}, ${session.isInTransaction})`,
    )
    return `select json_build_array(${calls.join(', ')}) as state`
  }
  const names = Object.keys(settings)
  const current = names.map((name) => `${literal(name)}, current_setting(${literal(name)}, true)`)
  const [seen] = await session.askEach([`select json_build_object(${current.join(', ')}) as state`, set(settings)])
  const before = seen as Readonly<Record<string, string | null>>
  await showInPlan(session, settings)
  try {
    return await run()
  } finally {
    const putBack = async (): Promise<void> => {
      await session.ask(set(before))
      await showInPlan(session, before)
    }
    await putBack().catch(discard)
  }
}

// A plan leaves out what only asks, and with it settings that are meant for the server that it is made on. That no one
// waits behind a lock is meant for every server.
async function showInPlan(
  session: Session,
  { lock_timeout: timeout }: Readonly<Record<string, string | null>>,
): Promise<void> {
  if (currentTarget() === null || !session.isInTransaction || typeof timeout !== 'string') return
  await session.send(`set local lock_timeout = ${literal(timeout)}`)
}
