import { setTimeout as sleep } from 'node:timers/promises'

import { PgvectorMigrationError, type LockHolder } from '../../core/errors.ts'

/** How to wait for another run. */
export interface TurnOptions {
  /** In milliseconds. */
  readonly wait: number
  readonly signal?: AbortSignal | undefined
  /** Called once, when another run holds the lock. */
  readonly onWait?: (holder: LockHolder | null) => void
}

/** Waits once for the run that holds the lock. The backends are those known to work for it. */
export type WaitForTurn = (holder: LockHolder | null, backends?: readonly number[]) => Promise<void>

const POLL_MILLISECONDS = 100

/**
 * Returns a function that waits until it is time to try the lock again.
 *
 * @throws {PgvectorMigrationError} MIGRATIONS_LOCKED after `wait`; the signal's reason if it aborts.
 */
export function waitForTurn({ wait, signal, onWait }: TurnOptions): WaitForTurn {
  const deadline = Date.now() + wait
  let hasWaited = false
  return async (holder, backends = []) => {
    if (!hasWaited) onWait?.(holder)
    hasWaited = true
    signal?.throwIfAborted()
    if (Date.now() >= deadline) {
      const named = backends.length === 0 ? {} : { backends }
      throw new PgvectorMigrationError('MIGRATIONS_LOCKED', { holder, milliseconds: wait, ...named })
    }
    await sleep(POLL_MILLISECONDS * (0.5 + Math.random()), undefined, { signal })
  }
}
