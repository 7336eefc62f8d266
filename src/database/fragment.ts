import type { Knex } from 'knex'

import { identifier } from '../core/sql.ts'
import { SETTINGS_ARE_MADE, withSettings, type StatementSetting } from './statement-settings.ts'

const FOUND = 'knex_pgvector_found'

/** The rows a search is about, and what to return of each. */
export interface SearchedRows {
  /** The table, quoted, with its schema where one was given. */
  readonly table: string
  /** The quoted alias that qualifies its columns. */
  readonly alias: string
  readonly columns: readonly (string | Knex.Raw)[]
  /** A condition in SQL that every row fulfils; null for none. */
  readonly condition: string | null
  readonly where: Knex.QueryCallback | Readonly<Record<string, unknown>> | undefined
  readonly limit: number
  readonly offset: number
}

/** An expression that orders rows, with the name of its column in the result. */
export interface Ordering {
  readonly expression: Knex.Raw<number>
  readonly as: string
}

/** What proposes rows, which are then ordered by another expression. */
export interface Proposal {
  readonly expression: Knex.Raw<number>
  readonly limit: number
}

/** Columns by their names in the database, whatever the configuration makes of identifiers. */
export function columnsByName(knex: Knex, alias: string, names: readonly string[]): Knex.Raw[] {
  return names.map((name) => knex.raw(`${alias}.${identifier(name)}`))
}

/** Orders a query of the user's among the rows of a condition. */
export function orderWithin(builder: Knex.QueryBuilder, condition: string | null, expression: Knex.Raw): void {
  if (condition !== null) void builder.whereRaw(rawCondition(condition))
  void builder.orderByRaw(expression)
}

/** Returns a condition for all rows except the one at a place in the table. */
export function exceptPlace(place: string): Knex.QueryCallback {
  return (builder) => void builder.whereRaw('ctid operator(pg_catalog.<>) ?::pg_catalog.tid', [place])
}

// As Knex sends it as it stands.
function rawCondition(condition: string): string {
  return condition.replaceAll('?', '\\?')
}

/**
 * A query for rows in the order of an expression, or of those that a proposal orders first.
 *
 * @param settings What the search reads when it starts.
 */
export function searchQuery(
  knex: Knex,
  rows: SearchedRows,
  ordering: Ordering,
  proposal: Proposal | null,
  settings: readonly StatementSetting[],
): Knex.QueryBuilder {
  const gate = settings.length > 0
  const name = identifier(ordering.as)
  const found = withDistance(knex, rows, ordering)
    // By its name, so that the vector is sent once.
    .orderByRaw(name)
  if (proposal === null) void among(knex, rows, found.limit(rows.limit + rows.offset), gate)
  else {
    const { expression, limit } = proposal
    const everything = knex.queryBuilder().select(knex.raw(`${rows.alias}.*`))
    const proposed = among(knex, rows, everything.orderByRaw(expression).limit(limit), gate)
    void found
      .limit(rows.limit)
      .offset(rows.offset)
      .from(knex.raw(`? as ${rows.alias}`, [proposed]))
  }
  const { alias, part } = withSettings(knex, settings, found)
  return (
    knex
      .queryBuilder()
      .select(knex.raw(`${alias}.*`))
      .from(part)
      // The order of an index is approximate, but the planner believes that it is exact and would sort by it no more.
      .orderByRaw(`${alias}.${name} operator(pg_catalog.+) 0`)
      .offset(proposal === null ? rows.offset : 0)
  )
}

/** A query that compares all rows that have a value, for as many as there are few of. */
export function exactQuery(knex: Knex, rows: SearchedRows, ordering: Ordering, column: string): Knex.QueryBuilder {
  const every = withDistance(knex, rows, ordering).whereRaw(hasValue(rows, column))
  // Without the fence the planner would order by the index again.
  return knex
    .queryBuilder()
    .select(knex.raw(`${FOUND}.*`))
    .from(knex.raw(`(? offset 0) as ${FOUND}`, [among(knex, rows, every, false)]))
    .orderByRaw(`${FOUND}.${identifier(ordering.as)}`)
    .limit(rows.limit)
    .offset(rows.offset)
}

function withDistance(knex: Knex, { columns }: SearchedRows, { expression, as }: Ordering): Knex.QueryBuilder {
  return knex
    .queryBuilder()
    .select(...columns)
    .select(expression.wrap('', ` as ${identifier(as)}`))
}

/** How many rows a search is about that have a value in its column, counted up to a limit. */
export async function countRows(
  knex: Knex,
  rows: Pick<SearchedRows, 'table' | 'alias' | 'condition' | 'where'>,
  column: string,
  limit: number,
): Promise<number> {
  const one = knex.queryBuilder().select(knex.raw('1')).whereRaw(hasValue(rows, column))
  const some = among(knex, rows, one.limit(limit), false)
  const query = knex.queryBuilder().select(knex.raw('pg_catalog.count(*)::pg_catalog.int4 as n'))
  const [counted] = (await query.from(knex.raw('? as matching', [some]))) as readonly { readonly n: number }[]
  return counted?.n ?? 0
}

function hasValue({ alias }: Pick<SearchedRows, 'alias'>, column: string): string {
  return rawCondition(`${alias}.${identifier(column)} is not null`)
}

function among(
  knex: Knex,
  { table, condition, where }: Pick<SearchedRows, 'table' | 'condition' | 'where'>,
  builder: Knex.QueryBuilder,
  gate: boolean,
): Knex.QueryBuilder {
  if (gate) void builder.whereRaw(SETTINGS_ARE_MADE)
  if (condition !== null) void builder.whereRaw(rawCondition(condition))
  if (where !== undefined) void builder.where(where)
  return builder.from(knex.raw(table))
}
