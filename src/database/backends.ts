import { clientOf } from './knex-inside.ts'
import type { Session } from './session.ts'

/** Returns the backend PIDs of the connections of a session's pool, as the server reported them. */
export function backendsOf(session: Session): number[] {
  const { pool } = clientOf(session.knex)
  const connections = [...(pool?.used ?? []), ...(pool?.free ?? [])]
  return connections.flatMap(({ resource }) => resource.processID ?? [])
}
