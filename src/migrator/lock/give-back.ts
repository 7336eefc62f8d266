import { setTimeout as sleep } from 'node:timers/promises'

import { sqlStateOf } from '../../core/errors.ts'
import { within, type Deadlines } from '../../database/deadlines.ts'
import type { HeldConnection, Session } from '../../database/session.ts'
import { openSideConnection } from '../../database/side-connection.ts'
import type { MigrationTables } from '../settings.ts'
import { lockNumber, type AdvisoryLock } from './advisory-lock.ts'
import { giveKnexLockBack, giveKnexLockBackFromAside, type RunEnd } from './knex-lock.ts'
import type { PooledLock } from './pooled-lock.ts'

/** What is given back, besides Knex's lock. */
export interface TakenLock {
  readonly advisory: AdvisoryLock
  readonly pooled: PooledLock | undefined
  readonly isSingle: boolean
}

const POLL_MILLISECONDS = 50

/**
 * Gives both locks back and notes how the run ended: on its own connection, and where that is lost from another one, once
 * the server has noticed too.
 */
export async function giveBack(
  session: Session,
  held: HeldConnection,
  tables: MigrationTables,
  { advisory, pooled, isSingle }: TakenLock,
  end: RunEnd,
  deadlines: Deadlines,
): Promise<void> {
  const give = (kept: RunEnd, isOpen: boolean): Promise<void> =>
    giveKnexLockBack(held.session, tables, kept, {
      giveAdvisoryLockBack: advisory.giveBack,
      lockTimeout: deadlines.lock,
      isOpen,
    })
  try {
    // A migration outside a transaction may have left one open when it failed.
    await give(end, end.outcome === 'failed').catch(async (error: unknown) => {
      // The lock is given back, even where the database has no place for a character of what failed.
      if (end.notes === undefined || sqlStateOf(error) === undefined) throw error
      await give({ ...end, notes: undefined }, true)
    })
  } catch (error) {
    // In a transaction of the caller its end gives everything back.
    if (session.isInTransaction || isSingle) throw error
    if (advisory.giveBack.length > 0) held.hangUp(error)
    await pooled?.close()
    if (!(await giveBackFromAside(session, tables, end, deadlines))) throw error
  }
}

async function giveBackFromAside(
  session: Session,
  tables: MigrationTables,
  end: RunEnd,
  deadlines: Deadlines,
): Promise<boolean> {
  const side = openSideConnection(session, deadlines)
  const deadline = Date.now() + deadlines.close
  try {
    for (;;) {
      const sent = giveKnexLockBackFromAside(side.session, tables, end, lockNumber(tables.lock), deadlines.lock)
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
