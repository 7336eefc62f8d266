import { PgvectorMigrationError } from '../../core/errors.ts'

/** How far a run had come; nothing of it is known before it has chosen what to do. */
export interface Progress {
  readonly done: readonly string[]
  readonly left: readonly string[]
}

/** What a run ends with when its signal comes; the reason of the signal is the name of it. */
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
 * Does it when the signal comes, and again: a cancellation that finds the backend between two statements is lost.
 * What it returns ends that, and waits for the last one: nothing that comes afterwards must be cancelled.
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
