import { literal } from '../core/sql.ts'
import { defaultDeadlines } from './deadlines.ts'
import { whileAlive, type Backend } from './liveness.ts'
import { STARTED_AT } from './look.ts'
import { isEmbeddedSql } from './server-facts.ts'
import type { Session } from './session.ts'
import { assertSameProcess } from './shared-session.ts'
import { currentTarget } from './target.ts'

/** A session on one held connection, because settings, locks and notices belong to a connection. */
export interface HeldSession extends Session {
  readonly processId: number
  /** The embedded database has no other connection. */
  readonly isEmbedded: boolean
  /** Refuses a connection that a pooler reassigns between statements (SESSION_SHARED). It checks once. */
  assertOwn(): Promise<void>
  /** Runs a statement that may take long, and stops waiting for it if its backend is gone (CONNECTION_LOST). */
  whileAlive<Result>(run: () => Promise<Result>): Promise<Result>
  /** Runs work with other settings, and restores the previous ones, even after an error. */
  withSettings<Result>(settings: Readonly<Record<string, string>>, run: () => Promise<Result>): Promise<Result>
}

type Notice = { readonly message?: string }

/** Takes a connection out of Knex's pool while `run` needs it. A transaction uses its own connection. */
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
      // In a transaction, every pooler keeps the same backend.
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
  // In a transaction the settings are local to it, so they end with it in any case.
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

// A plan leaves out queries, and with them settings for the server that the plan runs on. A lock timeout is meant for
// every server.
async function showInPlan(
  session: Session,
  { lock_timeout: timeout }: Readonly<Record<string, string | null>>,
): Promise<void> {
  if (currentTarget() === null || !session.isInTransaction || typeof timeout !== 'string') return
  await session.send(`set local lock_timeout = ${literal(timeout)}`)
}
