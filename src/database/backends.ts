import { clientOf } from './knex-inside.ts'
import type { Session } from './session.ts'

/** The backend PIDs of the connections of a session's pool, as each connection was told; `used`: of those in use now. */
export function backendsOf(session: Session, which: 'all' | 'used' = 'all'): number[] {
  const { pool } = clientOf(session.knex)
  const connections = which === 'used' ? pool?.used : [...(pool?.used ?? []), ...(pool?.free ?? [])]
  return (connections ?? []).flatMap(({ resource }) => resource.processID ?? [])
}
