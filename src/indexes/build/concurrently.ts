import type { HeldSession } from '../../database/held-session.ts'
import type { WaitsFor } from '../look/open-transactions.ts'
import { awaitTransactions } from './await-transactions.ts'
import type { BuildReport } from './report.ts'
import type { Outcome, Patience, Watch } from './watch.ts'

/** What a concurrent statement needs. */
export interface ConcurrentJob {
  readonly session: HeldSession
  readonly watch: Watch
  readonly needs: Patience
  readonly report: Pick<BuildReport, 'waiting'>
}

/** CREATE, REINDEX or DROP INDEX CONCURRENTLY. */
export interface ConcurrentStatement {
  /** The OID of the table. */
  readonly table: number
  readonly statement: string
  readonly waitsFor: WaitsFor
  /**
   * Runs when nothing blocks the statement any more, just before it is sent. From then on, an index may be left behind.
   */
  readonly onBegin?: () => Promise<void> | void
}

/**
 * Sends a concurrent statement on an index once no transaction blocks it. Its first step cannot be reverted, and all
 * its waiting comes after that step.
 *
 * It blocks no writes, and ending it while it waits would discard all its work. It therefore has no lock_timeout, and
 * only the watch ends its wait.
 */
export async function sendConcurrently(
  { session, watch, needs, report }: ConcurrentJob,
  { table, statement, waitsFor, onBegin }: ConcurrentStatement,
): Promise<Outcome<void>> {
  const settings = { lock_timeout: '0', statement_timeout: '0' }
  try {
    return await session.withSettings(settings, async () => {
      const stopped = session.isEmbedded ? null : await awaitTransactions(session, table, waitsFor, needs, report)
      if (stopped !== null) return { error: undefined, stopped }
      await onBegin?.()
      return watch.during(() => session.whileAlive(() => session.send(statement)))
    })
  } catch (error) {
    return { error, stopped: null }
  }
}
