/** What a process exits with. */
export const exitCode = { done: 0, bug: 1, failure: 2, pending: 3, interrupted: 130, terminated: 143 } as const
