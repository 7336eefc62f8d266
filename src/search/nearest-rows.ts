import type { Knex } from 'knex'

import { tableOf } from '../columns/column.ts'
import type { QueryVector } from '../columns/read-elements.ts'
import { PgvectorMigrationError } from '../core/errors.ts'
import { parseOptions, type Parsed } from '../core/parse-options.ts'
import { identifier } from '../core/sql.ts'
import { columnsByName, searchQuery, type Ordering, type Proposal, type SearchedRows } from '../database/fragment.ts'
import { type Database, type Session, sessionOf } from '../database/session.ts'
import { assertIndex, conditionSql, type VectorIndex } from '../indexes/vector-index.ts'
import { areShardsSearched, searchShards } from './cluster-settings.ts'
import { completeRows } from './completeness.ts'
import { exactDistance, indexedDistance } from './expressions.ts'
import { forgetVersion, readSearchFacts, readVersion } from './facts.ts'
import { nearestRowsOptions, type NearestRowsOptions } from './nearest-rows-options.ts'
import { searchSettingsFor } from './search-settings-for.ts'
import { iterativeScanAround } from './with-search-options.ts'
import { isSentPlain, rememberShort } from './plain-search.ts'
import { statementSettings, type Wanted } from './settings.ts'

/** What {@link nearestRows} found. */
export interface NearestRows<Row extends object = Record<string, unknown>> {
  /** The rows, nearest first. */
  readonly rows: Row[]
  /**
   * True if these are as many rows as `limit`, or all that match. False if more rows match or if that could not be checked;
   * `warnings` says which.
   */
  readonly isComplete: boolean
  /** Problems of the result, and what to do about them. */
  readonly warnings: readonly string[]
}

const OVERSAMPLING = 10

/**
 * Finds the rows nearest to a vector, nearest first, each with its distance. The query uses the index, whatever it stores.
 * Candidates of a quantized index are reranked by the exact distance. Of a partial index, only its rows are searched.
 *
 * Vector columns are omitted unless `columns` names them. The nearest row has the smallest distance: for innerProduct the
 * negative product, for cosine 1 minus the cosine.
 *
 * An approximate index can return fewer rows than match. So `efSearch` is raised to the rows you ask for, and iterative scans
 * are on (pgvector 0.8.0). If the result is still short, the matching rows are counted, and compared one by one if they are few.
 *
 * @example
 * ```ts
 * const { rows, isComplete } = await nearestRows(knex, index, query, { limit: 10, where: { tenant: 7 } })
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, with every problem of the options or of the vector;
 * PGVECTOR_NOT_ENABLED, RELATION_NOT_FOUND, SEARCH_OPTION_NOT_SUPPORTED or UNSUPPORTED_DATABASE.
 */
export async function nearestRows<Row extends object = Record<string, unknown>, As extends string = 'distance'>(
  db: Database,
  index: VectorIndex,
  query: QueryVector,
  options: NearestRowsOptions<As>,
): Promise<NearestRows<Row & Record<As, number>>> {
  assertIndex(index)
  const needs = parseOptions(nearestRowsOptions, options)
  const { column, metric, storage } = index
  if (needs.candidates !== undefined && storage.expression === 'column') {
    const problems = ['candidates: has no effect on an index that stores the values unchanged']
    throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
  }
  const place = { alias: column.table, schema: needs.schema }
  const indexed = indexedDistance(index, query, place)
  const session = sessionOf(db)
  const { columns, version, warnings } = await columnsOf(session, index, needs)
  const rows: SearchedRows = {
    table: tableOf(column),
    alias: identifier(column.table),
    columns,
    condition: conditionSql(index),
    where: needs.where,
    limit: needs.limit,
    offset: needs.offset,
  }
  const wanted = needs.limit + needs.offset
  const candidates = needs.candidates ?? (storage.reRank ? OVERSAMPLING * wanted : undefined)
  const proposal: Proposal | null = candidates === undefined ? null : { expression: indexed, limit: candidates }
  const expression = proposal === null ? indexed : exactDistance(column, metric, query, place)
  const iterativeScan = needs.iterativeScan ?? iterativeScanAround(db, index.method)
  const proposed = proposal?.limit ?? wanted
  const settings = searchSettingsFor(index, needs, { rows: proposed, version, iterativeScan })
  const ordering = { expression, as: needs.as }
  const onShards = await areShardsSearched(session)
  const search = (made: readonly Wanted[]): Promise<readonly unknown[]> =>
    onShards && made.length > 0
      ? searchShards(session, made, (trx) => send(session, searchQuery(trx.knex, rows, ordering, proposal, [])))
      : send(session, searchQuery(db, rows, ordering, proposal, statementSettings(made)))
  const isPlain = isSentPlain(session, index, settings, { rows: proposed, hasCondition: needs.where !== undefined })
  let found = await search(isPlain ? [] : settings)
  if (isPlain && found.length < needs.limit) {
    rememberShort(session, index)
    found = await search(settings)
  }
  const exact = (): Ordering => ({ expression: exactDistance(column, metric, query, place), as: needs.as })
  const searched = { rows, exact, column: column.name, method: index.method, version, iterativeScan }
  const completed = await completeRows(session, searched, found)
  return {
    rows: completed.rows as (Row & Record<As, number>)[],
    isComplete: completed.isComplete,
    warnings: [...warnings, ...completed.warnings],
  }
}

type Needs = Parsed<typeof nearestRowsOptions>

/** What to return of each row: what was asked for, or every column but those of vectors. */
async function columnsOf(
  session: Session,
  { column }: VectorIndex,
  { columns, as }: Needs,
): Promise<Pick<SearchedRows, 'columns'> & { readonly version: string; readonly warnings: readonly string[] }> {
  if (columns !== undefined) return { columns, version: await readVersion(session, column), warnings: [] }
  const facts = await readSearchFacts(session, column)
  const names = facts.columns.filter((name) => name !== as)
  const isHidden = names.length < facts.columns.length
  const warning =
    `${column.table} has a column ${as} of its own, which the result omits. Name the distance with the option ` as `.`
  return {
    columns: columnsByName(session.knex, identifier(column.table), names),
    version: facts.version,
    warnings: isHidden ? [warning] : [],
  }
}

async function send(session: Session, query: Knex.QueryBuilder): Promise<readonly unknown[]> {
  try {
    return (await query) as readonly unknown[]
  } catch (error) {
    forgetVersion(session)
    throw error
  }
}
