import { PgvectorMigrationError } from '../core/errors.ts'
import { literal } from '../core/sql.ts'
import { within, type Deadlines } from './deadlines.ts'
import type { Session } from './session.ts'
import { openSideConnection } from './side-connection.ts'

/** A backend that works for us, and how to stop waiting for it. */
export interface Backend {
  readonly processId: number
  /** When it started, in seconds as the server counts them; null if unknown. */
  readonly startedAt: string | null
  /** Closes the connection to it, so that the statement that waits for an answer fails. */
  readonly hangUp: (reason: unknown) => void
}

const GONE = 'the server no longer runs this backend'

/**
 * Runs work, and regularly checks from a second connection whether its backends still exist. A network may drop a
 * connection silently, and the wait for an answer would then never end.
 *
 * Work whose backends exist is never interrupted, and neither is work whose backends cannot be checked.
 *
 * @throws {PgvectorMigrationError} CONNECTION_LOST if a backend is gone.
 */
export async function whileAlive<Result>(
  session: Session,
  deadlines: Deadlines,
  backends: () => readonly Backend[],
  work: () => Promise<Result>,
): Promise<Result> {
  let hasEnded = false
  let gone: PgvectorMigrationError<'CONNECTION_LOST'> | undefined
  const look = async (): Promise<void> => {
    const asked = backends()
    const missing = asked.length === 0 ? [] : await missingOf(session, deadlines, asked).catch(() => [])
    for (const { processId, hangUp } of asked.filter((backend) => missing.includes(backend.processId))) {
      gone = new PgvectorMigrationError('CONNECTION_LOST', { processId, reason: GONE })
      hangUp(gone)
    }
    if (gone === undefined && !hasEnded) next = setTimeout(startLooking, deadlines.probe)
  }
  const startLooking = (): void => void look().catch(() => undefined)
  let next = setTimeout(startLooking, deadlines.probe)
  try {
    return await work()
  } catch (error) {
    if (gone === undefined) throw error
    throw new PgvectorMigrationError('CONNECTION_LOST', gone.details, { cause: error })
  } finally {
    hasEnded = true
    clearTimeout(next)
  }
}

/** Returns the PIDs of the backends that no longer exist. */
async function missingOf(
  session: Session,
  deadlines: Deadlines,
  backends: readonly Backend[],
): Promise<readonly number[]> {
  const side = openSideConnection(session, deadlines)
  // Another backend may have received the same PID since. The start time of another role's backend is not visible.
  const isMissing = ({ processId, startedAt }: Backend): string =>
    `case when not exists (select from pg_catalog.pg_stat_get_activity(${processId})
      where pid = ${processId} and ${startedAt === null ? 'true' : `coalesce(extract(epoch from backend_start)::text = ${literal(startedAt)}, true)`}) then ${processId} end`
  try {
    const answer = side.session.ask<readonly (number | null)[]>(
      `select json_build_array(${backends.map(isMissing).join(', ')}) as state`,
    )
    answer.catch(() => undefined)
    return ((await within(deadlines.ask, answer)) ?? []).filter((processId) => processId !== null)
  } finally {
    void side.close()
  }
}
