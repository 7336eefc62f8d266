import type { Statement } from './statement.ts'

/** Whether the session, or the current transaction, waits for locks without a limit. */
export interface LockTimeout {
  readonly isSet: boolean
  /** The migration's own transaction, or one that it begins itself, as several statements in one string do too. */
  readonly transaction: 'none' | 'of the migration' | 'of its own'
  /** Whether it ends with the round trip. */
  readonly isImplicit: boolean
  /** The setting after the end of the transaction. */
  readonly afterwards: boolean
}

export function lockTimeoutAtStart(isSet: boolean, isInTransaction: boolean): LockTimeout {
  return { isSet, transaction: isInTransaction ? 'of the migration' : 'none', isImplicit: false, afterwards: isSet }
}

/** Returns the setting for the next statement of a round trip. Several statements sent together are one transaction. */
export function lockTimeoutWithin(before: LockTimeout, isTogether: boolean): LockTimeout {
  if (!isTogether || before.transaction !== 'none') return before
  return { ...before, transaction: 'of its own', isImplicit: true, afterwards: before.isSet }
}

/** Returns the setting after a statement. */
export function lockTimeoutAfter(before: LockTimeout, { control, lockTimeout }: Statement): LockTimeout {
  // Settings since the start of the round trip are then part of the transaction.
  if (control === 'begin' && before.isImplicit) return { ...before, isImplicit: false }
  if (control === 'begin') return { ...before, transaction: 'of its own', afterwards: before.isSet }
  if (control === 'end') return ended(before)
  if (lockTimeout === null) return before
  const { isSet, isLocal } = lockTimeout
  // Outside a transaction, a local setting has no effect on the next statement.
  if (isLocal) return before.transaction === 'none' ? before : { ...before, isSet }
  return { ...before, isSet, afterwards: isSet }
}

/** Returns the setting after a round trip. */
export function lockTimeoutAfterAll(before: LockTimeout): LockTimeout {
  return before.isImplicit ? ended(before) : before
}

function ended({ afterwards }: LockTimeout): LockTimeout {
  return lockTimeoutAtStart(afterwards, false)
}
