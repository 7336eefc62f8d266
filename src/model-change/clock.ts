import { setTimeout } from 'node:timers/promises'

/** The time that passes for the cache of the registry, and while a step watches a column. Tests let it pass faster. */
export const clock = {
  /** The time in milliseconds since a moment in the past. */
  now: (): number => performance.now(),
  /** Waits; rejects if the signal aborts. */
  sleep: async (milliseconds: number, signal?: AbortSignal): Promise<void> => {
    await setTimeout(milliseconds, undefined, { signal })
  },
}
