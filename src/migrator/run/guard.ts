import { PgvectorMigrationError, sqlStateOf } from '../../core/errors.ts'
import { within, type Deadlines } from '../../database/deadlines.ts'
import { whileAlive } from '../../database/liveness.ts'
import type { Session } from '../../database/session.ts'
import { openSideConnection, type SideConnection } from '../../database/side-connection.ts'
import { sqlState } from '../../database/sqlstate.ts'
import type { RunConnection } from './connection.ts'
import { whenAborted } from './interrupted.ts'

/** What to watch while a migration runs. */
export interface Guarded {
  readonly connection: RunConnection
  /** Aborts when the lock is lost. */
  readonly lost: AbortSignal
  readonly signal: AbortSignal | undefined
  readonly deadlines: Deadlines
  /** The running migration, for the error, and whether it runs in a transaction. */
  readonly migration: string
  readonly transactional: boolean
}

/**
 * Runs a migration, and cancels its statement when the signal aborts or the lock is lost. The surrounding transaction
 * then rolls back. Cancelling needs a second connection, which is opened only then.
 *
 * @throws {PgvectorMigrationError} MIGRATION_LOCK_LOST or CONNECTION_LOST.
 */
export async function guarded<Result>(
  session: Session,
  { connection, lost, signal, deadlines, migration, transactional }: Guarded,
  work: () => Promise<Result>,
): Promise<Result> {
  let side: SideConnection | undefined
  let isCancelled = false
  const cancel = async (): Promise<void> => {
    const processes = connection.backends().map(({ processId }) => processId)
    if (processes.length === 0) return
    side ??= openSideConnection(session, deadlines)
    const sent = side.session.send(processes.map((processId) => `select pg_catalog.pg_cancel_backend(${processId})`))
    sent.catch(() => undefined)
    await within(deadlines.ask, sent)
  }
  const stops = [
    whenAborted(signal, cancel),
    whenAborted(lost, () => {
      isCancelled = true
      return cancel()
    }),
  ]
  try {
    return await whileAlive(session, deadlines, () => connection.backends(), work)
  } catch (error) {
    if (!isCancelled || signal?.aborted === true || sqlStateOf(error) !== sqlState.queryCanceled)
      throw connection.explain(error)
    throw new PgvectorMigrationError('MIGRATION_LOCK_LOST', { migration, transactional }, { cause: error })
  } finally {
    await Promise.all(stops.map((stop) => stop()))
    void side?.close()
  }
}
