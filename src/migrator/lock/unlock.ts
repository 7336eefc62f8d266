import { isPgvectorMigrationError, PgvectorMigrationError, type LockHolder } from '../../core/errors.ts'
import { readIsEmbedded } from '../../database/server-facts.ts'
import { flagKind, optionsParser } from '../../core/option-kinds.ts'
import type { Session } from '../../database/session.ts'
import { READ_COMMITTED } from '../../database/transaction.ts'
import { readHolder, type HeldLock } from './holder.ts'
import { withRunLock } from './run-lock.ts'
import type { MigrationSettings, MigrationTables } from '../settings.ts'
import { missingTables } from '../tracking.ts'

/** How to free the lock on migrations. */
export interface UnlockOptions {
  /** Free Knex's lock whoever holds it; default false. */
  readonly force?: boolean | undefined
}

export const parseUnlockOptions = optionsParser({ force: flagKind })

/** What was found, and what was done about it. */
export interface UnlockResult {
  /** `free`: nothing was locked. */
  readonly status: 'free' | 'freed'
  /** The run that held it; null where none of this library did. */
  readonly holder: LockHolder | null
  /** True where that run lives: it goes on, other runs of this library go on waiting for it, stock Knex does not. */
  readonly isHolderAlive: boolean
}

/**
 * Frees the lock on migrations where the run that held it is gone.
 *
 * A run of this library is known to be gone, because PostgreSQL takes its advisory lock away when its process dies. Of
 * a lock that stock Knex has set nothing is known: it takes `force`, and so does that of a living run. Its advisory lock
 * cannot be taken away from it.
 *
 * @throws {PgvectorMigrationError} UNLOCK_REFUSED where it takes `force`.
 */
export async function unlock(
  session: Session,
  settings: MigrationSettings,
  { force = false }: UnlockOptions = {},
): Promise<UnlockResult> {
  const { tables } = settings
  const lock = await readLock(session, tables)
  if (!lock.isLocked) return { status: 'free', holder: null, isHolderAlive: false }
  const { run: holder } = lock
  const isSingle = await readIsEmbedded(session)
  if ((holder !== null || isSingle) && (await freeAsNextRun(session, settings, isSingle))) {
    return { status: 'freed', holder, isHolderAlive: false }
  }
  if (!force) throw new PgvectorMigrationError('UNLOCK_REFUSED', { holder })
  const update = `update ${tables.lock} set is_locked = 0 where is_locked operator(pg_catalog.=) 1`
  await session.send(session.isInTransaction ? update : [READ_COMMITTED, update])
  return { status: 'freed', holder, isHolderAlive: holder !== null }
}

async function readLock(session: Session, tables: MigrationTables): Promise<HeldLock> {
  const missing = await missingTables(session, tables)
  if (missing.includes('lock')) return { isLocked: false, isNoted: false, run: null }
  return readHolder(session, tables, !missing.includes('runs'))
}

// As the next run would: who gets the lock has freed what a dead run left behind. It leaves a note of who did it.
async function freeAsNextRun(
  session: Session,
  { tables, deadlines }: MigrationSettings,
  isSingle: boolean,
): Promise<boolean> {
  const options = { command: 'unlock', wait: 0, isSingle, deadlines, onKept: raise }
  try {
    await withRunLock(session, tables, options, () => Promise.resolve())
    return true
  } catch (error) {
    if (isPgvectorMigrationError(error, 'MIGRATIONS_LOCKED')) return false
    throw error
  }
}

function raise(error: unknown): never {
  throw error
}
