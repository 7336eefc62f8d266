import { PgvectorMigrationError } from '../core/errors.ts'
import type { Session } from './session.ts'
import { openSideConnection } from './side-connection.ts'

// A pooler that is busy may give the same process back by chance; a few looks leave little of that.
const LOOKS = 3

/**
 * Refuses a connection whose statements come to one process of the server and then to another, as a pooler in
 * transaction mode has it: settings and locks would be left behind on a process that others go on to use.
 *
 * It only asks. Where a second connection gets the process that this one had, or this one gets another, they are shared.
 *
 * @param first The process that answered on this connection before.
 */
export async function assertSameProcess(held: Session, first: number): Promise<void> {
  const side = openSideConnection(held)
  try {
    for (let looks = 0; looks < LOOKS; looks++) {
      refuseOther(first, await backendOf(held))
      // What the other connection has stays with it until its transaction ends.
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

/** The process of the server that answers on a session now. */
export function backendOf(session: Session): Promise<number> {
  return session.ask('select to_json(pg_backend_pid()) as state')
}
