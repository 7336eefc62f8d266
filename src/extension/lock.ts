import { setTimeout as sleep } from 'node:timers/promises'

import { PgvectorMigrationError } from '../core/errors.ts'
import type { Session } from '../database/session.ts'
import { installedQuery, readInstalled, type InstalledAnswer } from './glance.ts'
import type { InstalledExtension } from './state.ts'

/** The advisory lock that LangChain also takes for CREATE EXTENSION, so that the two exclude each other. */
const EXTENSION_LOCK = '1573678846307946496'

const POLL_MILLISECONDS = 50

/**
 * Takes the extension lock for the rest of the transaction and looks for the extension again. It stops waiting when
 * `isDone` reports that the lock holder has done the work.
 *
 * It polls, because a session that blocks in pg_advisory_lock holds a snapshot, and CREATE INDEX CONCURRENTLY waits for
 * that snapshot.
 *
 * @throws {PgvectorMigrationError} LOCK_TIMEOUT after `timeout` milliseconds.
 */
export async function lockAndLook(
  trx: Session,
  timeout: number,
  isDone: (installed: InstalledExtension | null) => boolean,
): Promise<InstalledExtension | null> {
  const deadline = Date.now() + timeout
  for (;;) {
    // Two statements in one round trip: under READ COMMITTED, the second takes its snapshot after the first has ended.
    const [locked, answer] = await trx.askEach([
      `select to_json(pg_try_advisory_xact_lock(${EXTENSION_LOCK})) as state`,
      installedQuery,
    ])
    const installed = answer === null ? null : readInstalled(answer as InstalledAnswer)
    if (locked === true || isDone(installed)) return installed
    if (Date.now() >= deadline) throw new PgvectorMigrationError('LOCK_TIMEOUT', { milliseconds: timeout })
    // Jitter, so that replicas that start together do not poll together.
    await sleep(POLL_MILLISECONDS * (0.5 + Math.random()))
  }
}
