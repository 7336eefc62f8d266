import { literal } from '../../core/sql.ts'
import type { Session } from '../../database/session.ts'
import { Copying } from './copy-objects.ts'
import type { Replay } from './replay.ts'
import { mentionedIn, missingIn, readStoredObjects, type StoredObject } from './stored-objects.ts'

/** The objects of a database that no migration on its embedded copy has created. */
export interface Unmigrated {
  /** Whether there is none, as in a database that only migrations have changed. */
  isEmpty(): boolean
  /** Whether a text names one of them. */
  isNamedIn(text: string): boolean
  /** Copies the definitions of those that a text names, without data; false if it names none. */
  copyNamedIn(text: string): Promise<boolean>
  /** What could not be copied, in at most one sentence. */
  notes(): string[]
}

/**
 * Compares the objects of a database with those of its embedded copy. Definitions are read when they are needed, and
 * access to the catalog is enough.
 */
export async function findUnmigrated(
  from: Session,
  there: readonly StoredObject[],
  { session: into, searchPath }: Pick<Replay, 'session' | 'searchPath'>,
): Promise<Unmigrated> {
  const missing = new Set<StoredObject>(missingIn(there, await readStoredObjects(into)))
  const problems: string[] = []
  return {
    isEmpty: () => missing.size === 0,
    isNamedIn: (text) => mentionedIn(text, [...missing]).length > 0,
    copyNamedIn: async (text) => {
      if (mentionedIn(text, [...missing]).length === 0) return false
      await from.transaction(
        (reading) =>
          into.transaction(async (trx) => {
            // Definitions are printed for the search path of the database. A body may name what is not copied.
            await trx.send([
              `select pg_catalog.set_config('search_path', ${literal(searchPath)}, true)`,
              'set local check_function_bodies = off',
            ])
            const copying = new Copying(reading, trx, missing)
            await copying.copyNamedIn(text)
            problems.push(...copying.problems)
          }),
        { readOnly: true },
      )
      return true
    },
    notes: () =>
      problems.length === 0 ? [] : [`Not copied from the database to the embedded one: ${problems.join(', ')}.`],
  }
}
