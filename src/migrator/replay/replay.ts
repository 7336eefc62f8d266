import { openScratch } from '../../embedded/scratch.ts'
import type { Direction } from '../events.ts'
import { inMigration } from '../../database/migration-context.ts'
import { openReplica } from '../../database/replica.ts'
import type { Session } from '../../database/session.ts'
import type { BuilderWatch } from '../../database/watch-builders.ts'
import { identifier, literal } from '../../core/sql.ts'
import type { LoadedMigration } from '../files/list.ts'
import { withReason } from '../run/one.ts'
import { createSurroundings, obstacleIn, remove, type Surroundings } from './surroundings.ts'

export { readSurroundings, type Surroundings } from './surroundings.ts'

/** An embedded database that stands in for another one. */
export interface Replay {
  readonly session: Session
  /** The search path of the database, as a list of schemas. */
  readonly searchPath: string
  /** Sees the queries that a migration creates. */
  readonly watch: BuilderWatch
  /** Runs a migration that was applied there, so that the next one finds its changes. */
  apply(migration: LoadedMigration): Promise<void>
  /** Resets the search path to that of a new connection. */
  reset(): Promise<void>
  close(): Promise<void>
}

/**
 * Opens an embedded database in which the migrations of `db` can be run. It has the same roles, schemas and extensions,
 * as far as PGlite supports them, and the same search path.
 *
 * @throws {PgvectorMigrationError} EMBEDDED_NOT_INSTALLED without the packages of PGlite.
 */
export async function openReplay(db: Session, surroundings: Surroundings): Promise<Replay> {
  const scratch = await openScratch()
  const replica = openReplica(db, scratch.config)
  const { session, watch } = replica
  const searchPath = surroundings.searchPath.replaceAll('"$user"', identifier(surroundings.role))
  const replay: Replay = {
    session,
    searchPath,
    watch,
    apply: async (migration) => {
      await replay.reset()
      await applyIn(session, surroundings, migration)
    },
    reset: async () => {
      await session.send(`select pg_catalog.set_config('search_path', ${literal(searchPath)}, false)`)
    },
    close: async () => {
      await replica.close()
      await scratch.close()
    },
  }
  try {
    await createSurroundings(session, surroundings)
    await replay.reset()
    return replay
  } catch (error) {
    await replay.close()
    throw error
  }
}

/** Runs a migration's `up` as a run does, without anything around it. */
export async function runUp(
  session: Session,
  migration: LoadedMigration,
  onReturn: () => void = () => undefined,
): Promise<void> {
  await runAlone(session, migration, 'up', async ({ knex }) => {
    await migration.module.up(knex)
    // A commit follows. It would wait for queries that the migration did not wait for.
    onReturn()
  })
}

/** Runs its `down` in the same way, if it has one. */
export async function runDown(session: Session, migration: LoadedMigration): Promise<void> {
  await runAlone(session, migration, 'down', async ({ knex }) => migration.module.down?.(knex))
}

async function runAlone(
  session: Session,
  { name, transactional }: LoadedMigration,
  direction: Direction,
  run: (within: Session) => Promise<unknown>,
): Promise<void> {
  await inMigration({ name, direction }, async () => {
    if (transactional) await session.transaction(run)
    else await withReason(run(session))
  })
}

// Existing objects may have been created by hand or by this very migration. Only its failure shows which.
async function applyIn(session: Session, surroundings: Surroundings, migration: LoadedMigration): Promise<void> {
  const removed = new Set<string>()
  for (;;) {
    try {
      await runUp(session, migration)
      break
    } catch (error) {
      const obstacle = obstacleIn(error)
      if (obstacle === null || removed.has(obstacle) || !(await remove(session, surroundings, obstacle))) throw error
      removed.add(obstacle)
    }
  }
  // The extensions that were dropped with a schema may have been created by hand after it.
  if (removed.size > 0) await createSurroundings(session, surroundings)
}
