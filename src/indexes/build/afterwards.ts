import { defaultDeadlines, within } from '../../database/deadlines.ts'
import type { Session } from '../../database/session.ts'
import type { BuildJob } from './job.ts'

/**
 * Runs the remaining work after a failed attempt; null if that is not possible either.
 *
 * It tries the second connection first. Whatever ended the attempt, a repeated cancellation or a lost connection, would
 * also end this work on the first one.
 */
export async function afterwards<Result>(
  { session, watch }: Pick<BuildJob, 'session' | 'watch'>,
  work: (session: Session) => Promise<Result>,
): Promise<Result | null> {
  for (const each of watch.session === null ? [session] : [watch.session, session]) {
    const done = await within(
      defaultDeadlines.ask,
      work(each).then(
        (result) => ({ result }),
        () => undefined,
      ),
    )
    if (done !== undefined) return done.result
  }
  return null
}

/** Drops what an attempt left behind, unless something uses it. `find` reads the names, quoted, with their schemas. */
export async function dropAfterwards(
  job: Pick<BuildJob, 'session' | 'watch'>,
  lockTimeout: number,
  find: (session: Session) => Promise<readonly string[]>,
  onDropped: (session: Session) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  await afterwards(job, async (session) => {
    const dropAll = async (): Promise<void> => {
      for (const name of await find(session)) await session.send(`drop index concurrently if exists ${name}`)
      await onDropped(session)
    }
    const settings = { lock_timeout: String(lockTimeout) }
    if (session === job.session) return job.session.withSettings(settings, dropAll)
    // This connection is closed afterwards.
    await session.send(`set lock_timeout = ${lockTimeout}`)
    return dropAll()
  })
}
