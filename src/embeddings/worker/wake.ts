/** Pauses that an event can end early. */
export interface Wake {
  /** Pauses until the time is over, until {@link wake}, or until one of the signals aborts. */
  pause(milliseconds: number, signals: readonly AbortSignal[]): Promise<void>
  /** Ends all pauses. */
  wake(): void
}

export function createWake(): Wake {
  const sleepers = new Set<() => void>()
  return {
    // The listeners are removed, because a signal can outlive any number of pauses.
    pause: (milliseconds, signals) =>
      new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer)
          sleepers.delete(done)
          for (const signal of signals) signal.removeEventListener('abort', done)
          resolve()
        }
        const timer = setTimeout(done, milliseconds)
        sleepers.add(done)
        for (const signal of signals) signal.addEventListener('abort', done)
        if (signals.some(({ aborted }) => aborted)) done()
      }),
    wake: () => {
      for (const done of sleepers) done()
    },
  }
}
