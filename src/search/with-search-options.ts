import { PgvectorMigrationError } from '../core/errors.ts'
import { parseOptions } from '../core/parse-options.ts'
import { type Database, sessionOf } from '../database/session.ts'
import type { VectorIndex } from '../indexes/vector-index.ts'
import { areShardsSearched, setOnShards } from './cluster-settings.ts'
import { searchOptions, searchSettings, setBack, settingsFor, setUntilEnd, type SearchOptions } from './settings.ts'

/**
 * Sets how far searches look: until the transaction ends, or for `work` alone. Nothing of it is left on the connection
 * that goes back to the pool.
 *
 * pgvector's library is loaded first: until it is, PostgreSQL takes every value for its settings, also those of a newer
 * release, and forgets them when it comes to the first search.
 *
 * @example
 * ```ts
 * const rows = await knex.transaction((trx) =>
 *   withSearchOptions(trx, { efSearch: 100, iterativeScan: 'relaxed_order' }, () =>
 *     nearestRows(trx, index, embedding, { limit: 100 }),
 *   ),
 * )
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS where a value is out of its range, or where this is no transaction;
 * SEARCH_OPTION_NOT_SUPPORTED where the server's pgvector has no such setting; VERIFICATION_FAILED where pgvector is not
 * enabled; UNSUPPORTED_DATABASE.
 */
export async function withSearchOptions(trx: Database, options: SearchOptions): Promise<void>
export async function withSearchOptions<Result>(
  trx: Database,
  options: SearchOptions,
  work: () => PromiseLike<Result>,
): Promise<Result>
export async function withSearchOptions<Result>(
  trx: Database,
  options: SearchOptions,
  work?: () => PromiseLike<Result>,
): Promise<Result | void> {
  const parsed = parseOptions(searchOptions, options)
  const wanted = settingsFor(parsed)
  const session = sessionOf(trx)
  if (!session.isInTransaction) {
    throw new PgvectorMigrationError('INVALID_OPTIONS', {
      problems: ['withSearchOptions needs a transaction (knex.transaction): outside of one nothing would stay set'],
    })
  }
  const before = await setUntilEnd(session, wanted)
  const areShards = wanted.length > 0 && (await areShardsSearched(session))
  if (areShards) await setOnShards(session, wanted)
  const { iterativeScan } = parsed
  const outer = scans.get(trx)
  if (iterativeScan !== undefined) scans.set(trx, iterativeScan)
  if (work === undefined) return
  try {
    return await work()
  } finally {
    scans.set(trx, outer)
    // Where the work failed in the database, its transaction takes no statement any more; its end resets them.
    await (areShards ? setOnShards(session, before) : setBack(session, before)).catch(() => undefined)
  }
}

const scans = new WeakMap<Database, SearchOptions['iterativeScan']>()

/** The iterative scans that the caller chose for a transaction and that an index of this method has. */
export function iterativeScanAround(trx: Database, method: VectorIndex['method']): SearchOptions['iterativeScan'] {
  const chosen = scans.get(trx)
  const values: readonly string[] = searchSettings[`${method}.iterative_scan`].values
  return chosen !== undefined && values.includes(chosen) ? chosen : undefined
}
