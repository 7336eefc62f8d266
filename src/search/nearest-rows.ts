import type { Knex } from 'knex'

import { tableOf } from '../columns/column.ts'
import type { QueryVector } from '../columns/read-elements.ts'
import { parseOptions, type Parsed } from '../core/parse-options.ts'
import { identifier } from '../core/sql.ts'
import { columnsByName, searchQuery, type Proposal, type SearchedRows } from '../database/fragment.ts'
import { type Database, type Session, sessionOf } from '../database/session.ts'
import { assertIndex, conditionSql, type VectorIndex } from '../indexes/vector-index.ts'
import { checkCompleteness } from './completeness.ts'
import { exactDistance, indexedDistance } from './expressions.ts'
import { forgetVersion, readSearchFacts, readVersion } from './facts.ts'
import { nearestRowsOptions, type NearestRowsOptions } from './nearest-rows-options.ts'
import { searchSettingsFor } from './search-settings-for.ts'
import { setBack, settingExpressions, setUntilEnd, type Wanted } from './settings.ts'

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
 * An approximate index can return fewer rows than match. So `efSearch` is raised to the rows you ask for, iterative scans are
 * on (pgvector 0.8.0), and if the result is still short, the matching rows are counted.
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
  const proposal: Proposal | null =
    storage.expression === 'column' || candidates === undefined ? null : { expression: indexed, limit: candidates }
  const expression = proposal === null ? indexed : exactDistance(column, metric, query, place)
  const settings = searchSettingsFor(index, needs, proposal?.limit ?? wanted, version)
  const found = (await send(session, settings, (expressions) =>
    searchQuery(db, rows, { expression, as: needs.as }, proposal, expressions),
  )) as (Row & Record<As, number>)[]
  const short = await checkCompleteness(session, index, rows, found.length)
  return { rows: found, isComplete: short.isComplete, warnings: [...warnings, ...short.warnings] }
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

/** Sends a search with its settings: for the statement alone, or in a transaction until they are set back. */
async function send(
  session: Session,
  settings: readonly Wanted[],
  query: (expressions: readonly string[]) => Knex.QueryBuilder,
): Promise<unknown> {
  try {
    if (!session.isInTransaction) return await query(settingExpressions(settings))
    const before = await setUntilEnd(session, settings)
    try {
      return await query([])
    } finally {
      // Where the search failed, its transaction takes no statement any more; its end resets them.
      await setBack(session, before).catch(() => undefined)
    }
  } catch (error) {
    forgetVersion(session)
    throw error
  }
}
