import type { Deadlines } from './deadlines.ts'

/** The limits of a session's waits. */
export interface Terms {
  readonly deadlines: Deadlines
  /** When it aborts, a connection that does not answer is given up at once. */
  readonly signal?: AbortSignal | undefined
  /** The longest wait for an answer, if every statement is short; by default unlimited. */
  readonly limit?: number | undefined
}
