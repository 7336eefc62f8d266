import type { Statement } from './statement.ts'

/** Whether a lock is waited for without end: by the session, and in the transaction that runs. */
export interface LockTimeout {
  readonly isSet: boolean
  readonly isInTransaction: boolean
  /** What holds when the transaction has ended. */
  readonly afterwards: boolean
}

export function lockTimeoutAtStart(isSet: boolean, isInTransaction: boolean): LockTimeout {
  return { isSet, isInTransaction, afterwards: isSet }
}

/** What holds after a statement. */
export function lockTimeoutAfter(before: LockTimeout, { control, lockTimeout }: Statement): LockTimeout {
  if (control === 'begin') return { ...before, isInTransaction: true, afterwards: before.isSet }
  if (control === 'end') return { ...before, isInTransaction: false, isSet: before.afterwards }
  if (lockTimeout === null) return before
  const { isSet, isLocal } = lockTimeout
  // Outside a transaction a local setting is gone before the next statement.
  if (isLocal) return before.isInTransaction ? { ...before, isSet } : before
  return { ...before, isSet, afterwards: isSet }
}
