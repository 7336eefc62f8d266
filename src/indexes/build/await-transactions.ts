import { pauseOnServer } from '../../database/pause.ts'
import type { Session } from '../../database/session.ts'
import { readOpenTransactions, type WaitsFor } from '../look/open-transactions.ts'
import type { BuildReport } from './report.ts'
import type { Patience, Stopped } from './watch.ts'

const FIRST_PAUSE = 50
const PAUSE = 250

/** A transaction that stays open for longer than this is not brief. */
const BRIEF = 1000

/** On a table that is always in use, a transaction is brief if it takes less than this share of the time waited. */
const SHARE_OF_WAIT = 1 / 4

/**
 * Waits for the transactions that a concurrent statement would wait for after its first step. Giving up has no cost as
 * long as nothing was sent; later, an invalid index remains.
 *
 * It waits for transactions that are open at the beginning, and for later ones that stay open. Short new transactions
 * do not delay it.
 */
export async function awaitTransactions(
  session: Session,
  table: number,
  waitsFor: WaitsFor,
  { wait, signal }: Patience,
  report: Pick<BuildReport, 'waiting'>,
): Promise<Stopped> {
  const started = Date.now()
  const firstSeen = new Map<string, number>()
  for (let looks = 0; ; looks++) {
    if (signal?.aborted === true) return { by: 'signal' }
    const open = await readOpenTransactions(session, table, waitsFor)
    const waited = Date.now() - started
    for (const { id } of open)
      if (!firstSeen.has(id)) firstSeen.set(id, looks === 0 ? Number.NEGATIVE_INFINITY : waited)
    const patience = Math.max(BRIEF, waited * SHARE_OF_WAIT)
    const lasting = open.filter(({ id }) => waited - (firstSeen.get(id) ?? waited) >= patience)
    if (lasting.length === 0) return null
    const blockers = lasting.flatMap(({ processId }) => processId ?? [])
    if (waited >= wait) return { by: 'wait', blockers }
    if (looks > 0) report.waiting('transactions', blockers)
    await pauseOnServer(session, Math.min(looks === 0 ? FIRST_PAUSE : PAUSE, wait))
  }
}
