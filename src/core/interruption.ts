/** Ends a wait before its time. */
export interface Interruption {
  /** Makes the wait in progress, and every later one, fail with this reason. */
  readonly interrupt: (reason: unknown) => void
  /** Waits for a promise, until there is an interruption. */
  readonly during: <Value>(awaited: PromiseLike<Value> | Value) => Promise<Value>
}

/**
 * Creates an interruption of waits that follow one another. Promise.race with one long-lived promise would do the same, but that
 * promise then keeps the values of all races.
 */
export function newInterruption(): Interruption {
  let interrupted: { readonly reason: unknown } | null = null
  let reject: ((reason: unknown) => void) | null = null
  return {
    interrupt: (reason) => {
      interrupted ??= { reason }
      reject?.(interrupted.reason)
    },
    during: (awaited) =>
      new Promise((resolve, rejectThis) => {
        reject = rejectThis
        if (interrupted !== null) rejectThis(interrupted.reason)
        Promise.resolve(awaited).then(resolve, rejectThis)
      }),
  }
}
