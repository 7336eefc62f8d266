import type { Deadlines } from './deadlines.ts'

/** What bounds the waits of a session. */
export interface Terms {
  readonly deadlines: Deadlines
  /** Once it comes, a connection that does not answer is given up at once. */
  readonly signal?: AbortSignal | undefined
  /** The longest wait for an answer, where every statement is short; by default it may take as long as it needs. */
  readonly limit?: number | undefined
}
