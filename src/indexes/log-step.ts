import { isPgvectorMigrationError } from '../core/errors.ts'
import type { LogOptions } from '../core/options.ts'
import type { Session } from '../database/session.ts'
import { currentTarget } from '../database/target.ts'
import { logChange, type Change } from '../extension/log-change.ts'
import { lastLine, type LoggedStep } from '../log/migration-log.ts'
import { afterwards } from './build/afterwards.ts'
import type { BuildJob } from './build/job.ts'

/** The details by which the log recognises an index. */
export interface LoggedIndex {
  readonly table: number
  readonly index: string
}

/**
 * Logs a finished step, on the connection that did it. If that connection was lost, it uses the second one. A
 * concurrent build or drop is not transactional, so its entry is written afterwards.
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
    // The entry may exist, and only the answer was lost.
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
 * Logs a step of an earlier call whose process or connection ended before it could write the entry. The current state
 * shows that the step was done, but the last entry about the index is a different one.
 *
 * This changes no index, so errors that prevent the entry are ignored.
 */
export async function logLostStep(
  session: Session,
  log: LogOptions | false,
  change: Change,
  about: LoggedIndex,
  isLost: (last: LoggedStep) => boolean,
): Promise<void> {
  // In a transaction, a failure would abort the caller's transaction; and a plan runs on a copy.
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
