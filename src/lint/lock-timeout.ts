import type { Statement } from './statement.ts'

/** Whether a lock is waited for without end: by the session, and in the transaction that runs. */
export interface LockTimeout {
  readonly isSet: boolean
  /** The migration's own transaction, or one that it begins by itself, as several statements in one string do too. */
  readonly transaction: 'none' | 'of the migration' | 'of its own'
  /** Whether it ends with the round trip. */
  readonly isImplicit: boolean
  /** What holds when the transaction has ended. */
  readonly afterwards: boolean
}

export function lockTimeoutAtStart(isSet: boolean, isInTransaction: boolean): LockTimeout {
  return { isSet, transaction: isInTransaction ? 'of the migration' : 'none', isImplicit: false, afterwards: isSet }
}

/** What holds for the next statement of a round trip: several that are sent together are one transaction. */
export function lockTimeoutWithin(before: LockTimeout, isTogether: boolean): LockTimeout {
  if (!isTogether || before.transaction !== 'none') return before
  return { ...before, transaction: 'of its own', isImplicit: true, afterwards: before.isSet }
}

/** What holds after a statement. */
export function lockTimeoutAfter(before: LockTimeout, { control, lockTimeout }: Statement): LockTimeout {
  // What was set since the round trip began is then a part of the transaction.
  if (control === 'begin' && before.isImplicit) return { ...before, isImplicit: false }
  if (control === 'begin') return { ...before, transaction: 'of its own', afterwards: before.isSet }
  if (control === 'end') return ended(before)
  if (lockTimeout === null) return before
  const { isSet, isLocal } = lockTimeout
  // Outside a transaction a local setting is gone before the next statement.
  if (isLocal) return before.transaction === 'none' ? before : { ...before, isSet }
  return { ...before, isSet, afterwards: isSet }
}

/** What holds after a round trip. */
export function lockTimeoutAfterAll(before: LockTimeout): LockTimeout {
  return before.isImplicit ? ended(before) : before
}

function ended({ afterwards }: LockTimeout): LockTimeout {
  return lockTimeoutAtStart(afterwards, false)
}
