import { setTimeout as sleep } from 'node:timers/promises'

import { sqlStateOf } from '../../core/errors.ts'
import { within, type Deadlines } from '../../database/deadlines.ts'
import type { HeldConnection, Session } from '../../database/session.ts'
import { openSideConnection } from '../../database/side-connection.ts'
import type { UsableTables } from '../settings.ts'
import { lockNumber, type AdvisoryLock } from './advisory-lock.ts'
import { releaseKnexLock, releaseKnexLockFromSideConnection, type RunEnd } from './knex-lock.ts'
import type { PooledLock } from './pooled-lock.ts'

/** What is released in addition to Knex's lock. */
export interface TakenLock {
  readonly advisory: AdvisoryLock
  readonly pooled: PooledLock | undefined
  readonly isSingle: boolean
}

const POLL_MILLISECONDS = 50

/**
 * Releases both locks and records how the run ended, on its own connection. If that is lost, another connection does
 * it, after the server has noticed the loss.
 */
export async function releaseLocks(
  session: Session,
  held: HeldConnection,
  tables: UsableTables,
  { advisory, pooled, isSingle }: TakenLock,
  end: RunEnd,
  deadlines: Deadlines,
): Promise<void> {
  const give = (kept: RunEnd, isOpen: boolean): Promise<void> =>
    releaseKnexLock(held.session, tables, kept, {
      releaseAdvisoryLock: advisory.release,
      lockTimeout: deadlines.lock,
      isOpen,
    })
  try {
    // A failed migration that runs outside a transaction may have left one open.
    await give(end, end.outcome === 'failed').catch(async (error: unknown) => {
      // The lock is released even if the database cannot store a character of the error message.
      if (end.notes === undefined || sqlStateOf(error) === undefined) throw error
      await give({ ...end, notes: undefined }, true)
    })
  } catch (error) {
    // In a caller's transaction, the end of the transaction releases everything.
    if (session.isInTransaction || isSingle) throw error
    if (advisory.release.length > 0) held.hangUp(error)
    await pooled?.close()
    if (!(await releaseFromSideConnection(session, tables, end, deadlines))) throw error
  }
}

async function releaseFromSideConnection(
  session: Session,
  tables: UsableTables,
  end: RunEnd,
  deadlines: Deadlines,
): Promise<boolean> {
  const side = openSideConnection(session, deadlines)
  const deadline = Date.now() + deadlines.close
  try {
    for (;;) {
      const sent = releaseKnexLockFromSideConnection(side.session, tables, end, lockNumber(tables.lock), deadlines.lock)
      sent.catch(() => undefined)
      const isGivenBack = await within(deadlines.ask, sent)
      if (isGivenBack !== false || Date.now() > deadline) return isGivenBack === true
      await sleep(POLL_MILLISECONDS)
    }
  } catch {
    return false
  } finally {
    void side.close()
  }
}
