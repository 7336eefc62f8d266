import { PgvectorMigrationError } from '../core/errors.ts'
import type { Session } from './session.ts'
import { openSideConnection } from './side-connection.ts'

// A busy pooler may assign the same backend again by chance. A few checks make that unlikely.
const LOOKS = 3

/**
 * Refuses a connection whose statements go to changing backends, as with a pooler in transaction mode. Settings and
 * locks would remain on a backend that other clients then use.
 *
 * It only reads. The connection is shared if a second connection gets the backend that this one had, or if this one
 * gets another.
 *
 * @param first The backend that answered on this connection before.
 */
export async function assertSameProcess(held: Session, first: number): Promise<void> {
  const side = openSideConnection(held)
  try {
    for (let looks = 0; looks < LOOKS; looks++) {
      refuseOther(first, await backendOf(held))
      // The other connection keeps its backend until its transaction ends.
      await side.session.transaction(async (trx) => {
        if ((await backendOf(trx)) === first) throw shared([first])
        refuseOther(first, await backendOf(held))
      })
    }
  } finally {
    await side.close()
  }
}

function refuseOther(first: number, now: number): void {
  if (now !== first) throw shared([first, now])
}

function shared(processes: readonly number[]): PgvectorMigrationError {
  return new PgvectorMigrationError('SESSION_SHARED', { processes })
}

/** Returns the backend that currently answers on a session. */
export function backendOf(session: Session): Promise<number> {
  return session.ask('select to_json(pg_backend_pid()) as state')
}
