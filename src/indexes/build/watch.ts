import { setTimeout as sleep } from 'node:timers/promises'

import type { Session } from '../../database/session.ts'
import { openSideConnection } from '../../database/side-connection.ts'
import type { BuildReport } from './report.ts'
import { progressMeter, progressSql, type ProgressAnswer } from './progress.ts'

/** How a statement was stopped from the side; null where it ended by itself. */
export type Stopped = null | { readonly by: 'signal' } | { readonly by: 'wait'; readonly blockers: readonly number[] }

/** How long others are waited for, and what ends that earlier. */
export interface Patience {
  readonly wait: number
  readonly signal?: AbortSignal | undefined
}

/** How a statement ended. */
export type Outcome<Result> = { readonly result: Result } | GivenUp

/** Why a statement did not do what it was for. */
export interface GivenUp {
  readonly error: unknown
  readonly stopped: Stopped
}

/** A second connection that looks on while the first one builds. */
export interface Watch {
  /**
   * Runs a statement that keeps no writer waiting: it is reported on, and cancelled when the signal comes or when others
   * hold the table for longer than `wait` before any work was done.
   */
  during<Result>(run: () => Promise<Result>): Promise<Outcome<Result>>
  /** The second connection; null where there is none. */
  readonly session: Session | null
  /** The processes of the server that it looks with. */
  processes(): readonly number[]
  close(): Promise<void>
}

const FIRST_LOOK = 150
const LOOKS_EVERY = 500

// No row has been read yet in these, so no work is lost by giving up.
const early = new Set([null, 'initializing', 'waiting for writers before build'])

/** Watches a process of the server; it connects when there is something to see. */
export function watchBuild(
  db: Session,
  processId: number,
  report: Pick<BuildReport, 'progress' | 'waiting' | 'warn'>,
  { wait, signal }: Patience,
): Watch {
  const side = openSideConnection(db)
  const cancel = (): Promise<void> => side.session.send(`select pg_catalog.pg_cancel_backend(${processId})`)

  const look = async (state: Looking, ended: AbortSignal): Promise<void> => {
    if (signal?.aborted === true) {
      state.stopped = { by: 'signal' }
      return cancel()
    }
    const answer = await side.session.ask<ProgressAnswer>(progressSql(processId))
    // What comes after the statement must not be cancelled.
    if (ended.aborted) return
    const isEarly = early.has(answer.phase)
    if (answer.phase !== null) report.progress(state.meter(answer))
    if (answer.blockers.length > 0) report.waiting(answer.phase === null ? 'lock' : 'transactions', answer.blockers)
    if (answer.blockers.length === 0 || !isEarly) state.waitingSince = null
    else state.waitingSince ??= Date.now()
    if (state.waitingSince === null || Date.now() - state.waitingSince < wait) return
    state.stopped = { by: 'wait', blockers: answer.blockers }
    return cancel()
  }

  const lookOn = async (state: Looking, ended: AbortSignal): Promise<void> => {
    for (let pause = FIRST_LOOK; ; pause = LOOKS_EVERY) {
      // The signal wakes this up once; after that it is only a reason to cancel again.
      const wake = signal === undefined || signal.aborted ? ended : AbortSignal.any([ended, signal])
      await sleep(signal?.aborted === true && pause === FIRST_LOOK ? 0 : pause, undefined, { signal: wake }).catch(
        () => undefined,
      )
      if (ended.aborted) return
      await look(state, ended)
    }
  }

  return {
    during: async (run) => {
      const ended = new AbortController()
      const state: Looking = { stopped: null, waitingSince: null, meter: progressMeter() }
      const looking = lookOn(state, ended.signal).catch((error: unknown) => {
        if (ended.signal.aborted) return
        const why = error instanceof Error ? error.message : String(error)
        report.warn(`The build could not be watched from a second connection: ${why}`)
      })
      try {
        return { result: await run() }
      } catch (error) {
        return { error, stopped: state.stopped }
      } finally {
        ended.abort()
        // A cancellation that is on its way must arrive first; the answer to a look is not waited for.
        if (state.stopped !== null) await looking
      }
    },
    session: side.session,
    processes: () => side.backends(),
    close: () => side.close(),
  }
}

interface Looking {
  stopped: Stopped
  waitingSince: number | null
  readonly meter: ReturnType<typeof progressMeter>
}

/** Where there is no second connection: the embedded database has one, and nobody to wait for. */
export const unwatched: Watch = {
  during: async (run) => {
    try {
      return { result: await run() }
    } catch (error) {
      return { error, stopped: null }
    }
  },
  session: null,
  processes: () => [],
  close: () => Promise.resolve(),
}
