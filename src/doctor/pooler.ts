import type { Session } from '../database/session.ts'
import { backendOf } from '../database/shared-session.ts'
import { openSideConnection } from '../database/side-connection.ts'
import { connectionProblem } from '../database/connection-remedies.ts'
import { connectionFinding } from './connection.ts'
import { findingsOf, type Finding } from './finding.ts'

const { ok, warning } = findingsOf('connection')

/** The backends that served our two connections, the first connection twice; or why there was no second one. */
export type Backends =
  | { readonly first: number; readonly second: number; readonly firstAgain: number }
  | { readonly refusal: string }

/**
 * Reads the backends of two connections.
 *
 * Both are open at once, so without a pooler they have different backends that do not change. A pooler in transaction
 * mode assigns a server connection for each transaction, so the two share one, or one of them changes.
 */
export async function readBackends(session: Session): Promise<Backends> {
  const side = openSideConnection(session)
  try {
    const first = await backendOf(side.session)
    const second = await backendOf(session)
    return { first, second, firstAgain: await backendOf(side.session) }
  } catch (error) {
    if (connectionFinding(error) === null) throw error
    return { refusal: connectionProblem(error as Error) }
  } finally {
    await side.close()
  }
}

export function poolerFindings(backends: Backends): Finding[] {
  if ('refusal' in backends) {
    return [
      warning(
        `no second connection could be opened (${backends.refusal}), and a run of migrations needs one to cancel a statement`,
        'Allow this role another connection: ALTER ROLE … CONNECTION LIMIT, or max_connections, or the size of the pool.',
      ),
    ]
  }
  const { first, second, firstAgain } = backends
  return first === second || first !== firstAgain
    ? [
        ok(
          'a pooler in transaction mode (such as PgBouncer) stands between: migrations in a transaction and their lock work through it',
          'What runs outside a transaction is refused through it (SESSION_SHARED): give such a migration a direct connection, or session mode.',
        ),
      ]
    : []
}
