import { PgvectorMigrationError } from '../../core/errors.ts'

/** The progress of a run; unknown until the run has chosen its migrations. */
export interface Progress {
  readonly done: readonly string[]
  readonly left: readonly string[]
}

/** Returns the error of a run whose signal aborts, named by the reason of the signal. */
export function interrupted(
  migration: string | null,
  signal: AbortSignal,
  cause?: unknown,
  { done, left }: Progress = { done: [], left: [] },
): PgvectorMigrationError<'MIGRATION_INTERRUPTED'> {
  const name = typeof signal.reason === 'string' ? signal.reason : 'the caller'
  return new PgvectorMigrationError('MIGRATION_INTERRUPTED', { migration, signal: name, done, left }, { cause })
}

const REPEAT_MILLISECONDS = 200

/**
 * Calls `act` when the signal aborts, and repeats it, because a cancellation that arrives between two statements has no
 * effect. The returned function stops this and waits for the last call, so that nothing later is cancelled.
 */
export function whenAborted(signal: AbortSignal | undefined, act: () => Promise<void>): () => Promise<void> {
  let repeating: NodeJS.Timeout | undefined
  let last = Promise.resolve()
  const actNow = (): void => {
    last = act().catch(() => undefined)
  }
  const begin = (): void => {
    actNow()
    repeating = setInterval(actNow, REPEAT_MILLISECONDS)
  }
  if (signal?.aborted === true) begin()
  else signal?.addEventListener('abort', begin)
  return async () => {
    signal?.removeEventListener('abort', begin)
    clearInterval(repeating)
    await last
  }
}
