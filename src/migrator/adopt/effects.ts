import { isPgvectorMigrationError, PgvectorMigrationError } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import { readCatalog, type SchemaObject, type SchemaObjects } from './catalog.ts'
import type { LoadedMigration, MigrationFiles } from '../files/list.ts'
import type { OnReplay } from '../replay/applied.ts'
import { openReplay, readSurroundings, type Replay } from '../replay/replay.ts'

/** The objects that a migration creates and removes. */
export interface Effect {
  readonly migration: string
  readonly made: readonly SchemaObject[]
  readonly removed: readonly SchemaObject[]
}

/**
 * Runs migrations in memory, one after the other, to see what each of them does.
 *
 * @throws {PgvectorMigrationError} REPLAY_FAILED, or EMBEDDED_NOT_INSTALLED without PGlite.
 */
export async function effectsOf(
  session: Session,
  files: MigrationFiles,
  names: readonly string[],
  onReplay: OnReplay,
): Promise<Effect[]> {
  const replay = await openReplay(session, await readSurroundings(session))
  try {
    const steps: { migration: string; before: SchemaObjects; after: SchemaObjects }[] = []
    let before = await objectsIn(replay)
    for (const [index, migration] of names.entries()) {
      onReplay(migration, index)
      await apply(replay, await files.load(migration))
      const after = await objectsIn(replay)
      steps.push({ migration, before, after })
      before = after
    }
    const last = before
    return steps.map((step) => effectOf(step.migration, step.before, step.after, last))
  } finally {
    await replay.close()
  }
}

async function objectsIn(replay: Replay): Promise<SchemaObjects> {
  // A migration may have changed the search path, which would resolve names to another schema.
  await replay.reset()
  return (await readCatalog(replay.session)).objects
}

async function apply(replay: Replay, migration: LoadedMigration): Promise<void> {
  try {
    await replay.apply(migration)
  } catch (error) {
    if (isPgvectorMigrationError(error, 'EMBEDDED_NOT_INSTALLED')) throw error
    throw new PgvectorMigrationError('REPLAY_FAILED', { migration: migration.name }, { cause: error })
  }
}

// An object that a later migration changes again cannot be found in the end, so it is left out.
function effectOf(migration: string, before: SchemaObjects, after: SchemaObjects, last: SchemaObjects): Effect {
  const isMade = ({ key, type }: SchemaObject): boolean =>
    before.get(key)?.type !== type && last.get(key)?.type === type
  const isRemoved = ({ key }: SchemaObject): boolean => !after.has(key) && !last.has(key)
  return {
    migration,
    made: [...after.values()].filter(isMade),
    removed: [...before.values()].filter(isRemoved),
  }
}
