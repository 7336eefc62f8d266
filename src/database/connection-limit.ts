/** How many connections may be open at once, shared by several Knex instances. */
export interface ConnectionLimit {
  /** Waits until one more connection may be opened. */
  take(): Promise<void>
  /** Reports that one was closed. */
  give(): void
  /** Whether one more may be opened without waiting. */
  isFree(): boolean
  /** Whether a caller waits. */
  isWaitedFor(): boolean
}

/** Creates a limit. Callers are served in order. */
export function connectionLimit(most: number): ConnectionLimit {
  let free = most
  const waiting: (() => void)[] = []
  return {
    take: async () => {
      if (free > 0) {
        free--
        return
      }
      await new Promise<void>((resolve) => {
        waiting.push(resolve)
      })
    },
    give: () => {
      const next = waiting.shift()
      if (next === undefined) free++
      else next()
    },
    isFree: () => free > 0,
    isWaitedFor: () => waiting.length > 0,
  }
}
