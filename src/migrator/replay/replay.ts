import Knex from 'knex'

import { openScratch } from '../../embedded/scratch.ts'
import { inMigration } from '../../database/migration-context.ts'
import { send, type Database } from '../../database/queryable.ts'
import { identifier, literal } from '../../core/sql.ts'
import type { LoadedMigration } from '../files/list.ts'
import { withReason } from '../run/one.ts'
import { imitate, obstacleIn, remove, type Surroundings } from './surroundings.ts'

export { readSurroundings, type Surroundings } from './surroundings.ts'

/** An embedded database that stands for another one. */
export interface Replay {
  readonly knex: Database
  /** Runs a migration that was applied there, so that the next one finds what it left. */
  apply(migration: LoadedMigration): Promise<void>
  /** Puts the search path back to what a new connection has. */
  reset(): Promise<void>
  close(): Promise<void>
}

/**
 * Opens an embedded database in which the migrations of `db` can be run: it has the same roles, schemas and extensions,
 * as far as PGlite has them, and the same search path.
 *
 * @throws {PgvectorMigrationError} EMBEDDED_NOT_INSTALLED without the packages of PGlite.
 */
export async function openReplay(db: Database, surroundings: Surroundings): Promise<Replay> {
  const { searchPath: _searchPath, ...config } = (db.client as { readonly config: Knex.Knex.Config }).config
  const scratch = await openScratch()
  const knex = Knex({ ...config, ...scratch.config })
  const searchPath = surroundings.searchPath.replaceAll('"$user"', identifier(surroundings.role))
  const replay: Replay = {
    knex,
    apply: async (migration) => {
      await replay.reset()
      await applyIn(knex, surroundings, migration)
    },
    reset: async () => {
      await send(knex, `select set_config('search_path', ${literal(searchPath)}, false)`)
    },
    close: async () => {
      await knex.destroy()
      await scratch.close()
    },
  }
  try {
    await imitate(knex, surroundings)
    await replay.reset()
    return replay
  } catch (error) {
    await replay.close()
    throw error
  }
}

/** Runs a migration's `up` as a run does, and nothing around it. */
export async function runUp(db: Database, migration: LoadedMigration): Promise<void> {
  await runAlone(db, migration, async (within) => migration.module.up(within))
}

/** The same for its `down`, where it has one. */
export async function runDown(db: Database, migration: LoadedMigration): Promise<void> {
  await runAlone(db, migration, async (within) => migration.module.down?.(within))
}

async function runAlone(
  db: Database,
  { name, transactional }: LoadedMigration,
  run: (within: Database) => Promise<unknown>,
): Promise<void> {
  await inMigration(name, async () => {
    if (transactional) await db.transaction(async (trx) => withReason(run(trx)))
    else await withReason(run(db))
  })
}

// What was found in the database may have been made by hand or by this very migration: only its failure tells.
async function applyIn(knex: Database, surroundings: Surroundings, migration: LoadedMigration): Promise<void> {
  const removed = new Set<string>()
  for (;;) {
    try {
      await runUp(knex, migration)
      break
    } catch (error) {
      const obstacle = obstacleIn(error)
      if (obstacle === null || removed.has(obstacle) || !(await remove(knex, surroundings, obstacle))) throw error
      removed.add(obstacle)
    }
  }
  // The extensions that went with a schema may have been made by hand after it.
  if (removed.size > 0) await imitate(knex, surroundings)
}
