import { isPgvectorMigrationError, PgvectorMigrationError, type LockHolder } from '../../core/errors.ts'
import { readIsEmbedded } from '../../database/server-facts.ts'
import { flagKind, optionsParser } from '../../core/option-kinds.ts'
import type { Session } from '../../database/session.ts'
import { READ_COMMITTED } from '../../database/transaction.ts'
import { readHolder, type HeldLock } from './holder.ts'
import { withRunLock } from './run-lock.ts'
import type { MigrationSettings } from '../settings.ts'
import { readUsable, type Usable } from '../present-tables.ts'

/** Options of `unlock`. */
export interface UnlockOptions {
  /** Free Knex's lock no matter who set it; default false. */
  readonly force?: boolean | undefined
}

/** @internal */
export const parseUnlockOptions = optionsParser({ force: flagKind })

/** What was found, and what was done about it. */
export interface UnlockResult {
  /** `free`: nothing was locked. */
  readonly status: 'free' | 'freed'
  /** The run that held it; null if it was not a run of this library. */
  readonly holder: LockHolder | null
  /**
   * True if that run is alive. It continues, and other runs of this library keep waiting for it, but stock Knex does
   * not.
   */
  readonly isHolderAlive: boolean
}

/**
 * Frees the migration lock if the run that held it is gone.
 *
 * PostgreSQL releases the advisory lock of a run when its process ends, so a run of this library is known to be gone. A
 * lock that stock Knex has set carries no such information and requires `force`. So does the lock of a running
 * migration, whose advisory lock cannot be taken away.
 *
 * @throws {PgvectorMigrationError} UNLOCK_REFUSED if `force` is required.
 */
export async function unlock(
  session: Session,
  settings: MigrationSettings,
  { force = false }: UnlockOptions = {},
): Promise<UnlockResult> {
  const { tables } = settings
  const usable = await readUsable(session, tables)
  const lock = await readLock(session, usable)
  if (!lock.isLocked) return { status: 'free', holder: null, isHolderAlive: false }
  const { run: holder } = lock
  const isSingle = await readIsEmbedded(session)
  if ((holder !== null || isSingle) && (await freeAsNextRun(session, settings, usable, isSingle))) {
    return { status: 'freed', holder, isHolderAlive: false }
  }
  if (!force) throw new PgvectorMigrationError('UNLOCK_REFUSED', { holder })
  const update = `update ${tables.lock} set is_locked = 0 where is_locked operator(pg_catalog.=) 1`
  await session.send(session.isInTransaction ? update : [READ_COMMITTED, update])
  return { status: 'freed', holder, isHolderAlive: holder !== null }
}

async function readLock(session: Session, { tables, missing }: Usable): Promise<HeldLock> {
  if (missing.includes('lock')) return { isLocked: false, isNoted: false, run: null }
  return readHolder(session, tables, !missing.includes('runs'))
}

// Does what the next run would do: taking the lock frees what a crashed run left behind. This records who did it.
async function freeAsNextRun(
  session: Session,
  { deadlines }: MigrationSettings,
  { tables, missing }: Usable,
  isSingle: boolean,
): Promise<boolean> {
  const options = { command: 'unlock', wait: 0, isSingle, missing, deadlines, onKept: raise }
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
