import { isPgvectorMigrationError } from '../core/errors.ts'
import type { LogOptions } from '../core/options.ts'
import type { Session } from '../database/session.ts'
import { currentTarget } from '../database/target.ts'
import { logChange, type Change } from '../extension/log-change.ts'
import { lastLine, type LoggedStep } from '../log/migration-log.ts'
import { afterwards } from './build/afterwards.ts'
import type { BuildJob } from './build/job.ts'

/** What the log recognises an index by. */
export interface LoggedIndex {
  readonly table: number
  readonly index: string
}

/**
 * Logs a step that is done: on the connection that did it and, where that is lost by then, on the second one. A concurrent
 * build or drop is no transaction, so its line comes afterwards.
 */
export async function logStep(
  job: Pick<BuildJob, 'session' | 'watch'>,
  log: LogOptions | false,
  change: Change,
  about: LoggedIndex | null,
): Promise<readonly string[]> {
  try {
    return await logChange(job.session, log, change)
  } catch (error) {
    if (job.session.isInTransaction || !isPgvectorMigrationError(error, 'CONNECTION_LOST')) throw error
    // The line may be there, and only the answer was lost.
    const written = await afterwards(job, (session) =>
      about === null
        ? logChange(session, log, change)
        : logWhere(session, log, change, about, (line) => line?.event !== change.event),
    )
    if (written === null) throw error
    return written
  }
}

/**
 * Logs a step that an earlier call did, where its process or its connection ended before its line was written: what is
 * there shows that it was done, and the last line about it is of something else.
 *
 * It changes nothing about what is there, so what keeps the line from being written counts for nothing.
 */
export async function logLostStep(
  session: Session,
  log: LogOptions | false,
  change: Change,
  about: LoggedIndex,
  isLost: (last: LoggedStep) => boolean,
): Promise<void> {
  // In a transaction a failure would end that of the caller, and a plan is made on a copy.
  if (session.isInTransaction || currentTarget() !== null) return
  const isFollowed = (last: LoggedStep | null): boolean => last !== null && isLost(last)
  await logWhere(session, log, change, about, isFollowed).catch(() => undefined)
}

async function logWhere(
  session: Session,
  log: LogOptions | false,
  change: Change,
  about: LoggedIndex,
  decide: (last: LoggedStep | null) => boolean,
): Promise<readonly string[]> {
  if (log === false) return []
  const last = await lastLine(session, log, ['index begun', 'index built', 'index dropped'], { ...about })
  return decide(last) ? logChange(session, log, change) : []
}
