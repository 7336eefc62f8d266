import { setTimeout as sleep } from 'node:timers/promises'

import type { Session } from '../../database/session.ts'
import { openSideConnection } from '../../database/side-connection.ts'
import type { BuildReport } from './report.ts'
import { progressMeter, progressSql, type ProgressAnswer } from './progress.ts'

/** How a statement was stopped from the second connection; null if it ended by itself. */
export type Stopped = null | { readonly by: 'signal' } | { readonly by: 'wait'; readonly blockers: readonly number[] }

/** How long to wait for other sessions, and what ends the wait earlier. */
export interface Patience {
  readonly wait: number
  readonly signal?: AbortSignal | undefined
}

/** How a statement ended. */
export type Outcome<Result> = { readonly result: Result } | GivenUp

/** Why a statement did not complete. */
export interface GivenUp {
  readonly error: unknown
  readonly stopped: Stopped
}

/** A second connection that observes the build. */
export interface Watch {
  /**
   * Runs a statement that blocks no writes, and reports its progress. It is cancelled when the signal aborts, or when
   * other sessions hold the table for longer than `wait` before any work was done.
   */
  during<Result>(run: () => Promise<Result>): Promise<Outcome<Result>>
  /** The second connection; null if there is none. */
  readonly session: Session | null
  /** The backend PIDs of the second connection. */
  processes(): readonly number[]
  close(): Promise<void>
}

const FIRST_LOOK = 150
const LOOKS_EVERY = 500

// In these phases no row has been read yet, so giving up loses no work.
const early = new Set([null, 'initializing', 'waiting for writers before build'])

/** Watches a backend. It connects when there is something to observe. */
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
    // A later statement must not be cancelled.
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
      // The signal wakes this loop once; after that, it is only a reason to cancel again.
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
        // A cancellation that was sent must arrive first. A pending observation is not awaited.
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

/**
 * For a database without a second connection: the embedded one has a single connection, and no other session to wait
 * for.
 */
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
