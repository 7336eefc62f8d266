import type { ConnectionWatch } from '../../database/lost-connection.ts'
import type { HeldConnection } from '../../database/session.ts'
import { connectionSql, type ConnectionFacts } from '../run/connection.ts'
import { fenceNumber, heldRows, holdsLock, KEEP_ALIVE, lockNumber, type AdvisoryLock } from './advisory-lock.ts'

/** The result of requesting the lock on the connection that migrates. */
export interface LockAnswer {
  readonly facts: ConnectionFacts
  /** The lock; `busy` if another session has it, `pooled` if this connection cannot hold one. */
  readonly lock: AdvisoryLock | 'busy' | 'pooled'
}

// The connection holds the lock, and it may be idle while a migration outside a transaction works elsewhere. PostgreSQL
// 14 and newer.
const NEVER_IDLE = { idle_session_timeout: 0 } as const

/**
 * Tries to take the lock on the connection that migrates, so that both end together. The lock is taken for the session,
 * or in a caller's transaction until that ends. It does not wait, and leaves no transaction open.
 *
 * It also returns `busy` while a run continues to work although its lock, on another connection, was lost.
 *
 * It takes nothing if the backend that answers is not the one that the connection was given, because then a pooler is
 * in between.
 */
export async function tryConnectionLock(
  { session, processId }: HeldConnection,
  { lost }: ConnectionWatch,
  lockTable: string,
): Promise<LockAnswer> {
  const { isInTransaction } = session
  const isOwn = isInTransaction ? 'true' : `pg_backend_pid() = ${processId ?? 'null'}`
  const lock = isInTransaction ? 'pg_try_advisory_xact_lock' : 'pg_try_advisory_lock'
  const settings: Readonly<Record<string, number>> = isInTransaction ? {} : { ...KEEP_ALIVE, ...NEVER_IDLE }
  const set = Object.entries(settings).map(
    ([name, value]) =>
      `case when current_setting('${name}', true) is not null then set_config('${name}', '${value}', false) end`,
  )
  const { facts, number, isHeld, changed } = await session.ask<{
    facts: ConnectionFacts
    number: string
    isHeld: boolean | null
    changed: readonly (string | null)[] | null
  }>(`select json_build_object('facts', ${connectionSql}, 'number', number::text, 'isHeld', is_held, 'changed',
      case when is_held then json_build_array(${set.join(', ')}) end) as state
    from (
      select number, case when ${isOwn} then
        case when exists (select from ${heldRows(fenceNumber(lockTable))}) then false else ${lock}(number) end
      end as is_held
      from (select ${lockNumber(lockTable)} as number) as named offset 0
    ) as tried`)
  if (isHeld === null) return { facts, lock: 'pooled' }
  if (!isHeld) return { facts, lock: 'busy' }
  const resets = Object.keys(settings).flatMap((name, index) =>
    (changed ?? [])[index] === null ? [] : `reset ${name}`,
  )
  const release = isInTransaction ? [] : [`select pg_catalog.pg_advisory_unlock(${number})`, ...resets]
  return { facts, lock: { isHeld: holdsLock(facts.processId, number), lost, release } }
}
