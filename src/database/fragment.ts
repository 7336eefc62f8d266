import type { Knex } from 'knex'

import { identifier } from '../core/sql.ts'

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

// As Knex sends it as it stands.
function rawCondition(condition: string): string {
  return condition.replaceAll('?', '\\?')
}

/**
 * A query for rows in the order of an expression, or of those that a proposal orders first.
 *
 * @param settings Expressions in SQL that set what the search reads when it starts: for this statement, if it is no part of
 * a transaction.
 */
export function searchQuery(
  knex: Knex,
  rows: SearchedRows,
  ordering: Ordering,
  proposal: Proposal | null,
  settings: readonly string[],
): Knex.QueryBuilder {
  const gate = settings.length > 0
  const name = identifier(ordering.as)
  const found = knex
    .queryBuilder()
    .select(...rows.columns)
    .select(ordering.expression.wrap('', ` as ${name}`))
    // By its name, so that the vector is sent once.
    .orderByRaw(name)
    .limit(rows.limit)
    .offset(rows.offset)
  if (proposal === null) void among(knex, rows, found, gate)
  else {
    const { expression, limit } = proposal
    const everything = knex.queryBuilder().select(knex.raw(`${rows.alias}.*`))
    const proposed = among(knex, rows, everything.orderByRaw(expression).limit(limit), gate)
    void found.from(knex.raw(`? as ${rows.alias}`, [proposed]))
  }
  if (!gate) return found
  // The scan is lateral to the settings and refers to them, so they are made before it starts.
  const set = settings.map((each, place) => `${each} as ${place === 0 ? GATE : `set_${place}`}`).join(', ')
  return knex
    .queryBuilder()
    .select(knex.raw(`${FOUND}.*`))
    .from(knex.raw(`(select ${set}) as ${SETTINGS}, lateral ? as ${FOUND}`, [found]))
    .orderByRaw(`${FOUND}.${name}`)
}

const SETTINGS = 'knex_pgvector_settings'
const FOUND = 'knex_pgvector_found'
const GATE = 'gate'

/** How many rows a search is about that have a value in its column, counted up to a limit. */
export async function countRows(
  knex: Knex,
  rows: Pick<SearchedRows, 'table' | 'alias' | 'condition' | 'where'>,
  column: string,
  limit: number,
): Promise<number> {
  const hasValue = `${rows.alias}.${identifier(column)} is not null`
  const some = among(knex, rows, knex.queryBuilder().select(knex.raw('1')).whereRaw(hasValue).limit(limit), false)
  const query = knex.queryBuilder().select(knex.raw('pg_catalog.count(*)::pg_catalog.int4 as n'))
  const [counted] = (await query.from(knex.raw('? as matching', [some]))) as readonly { readonly n: number }[]
  return counted?.n ?? 0
}

function among(
  knex: Knex,
  { table, condition, where }: Pick<SearchedRows, 'table' | 'condition' | 'where'>,
  builder: Knex.QueryBuilder,
  gate: boolean,
): Knex.QueryBuilder {
  if (gate) void builder.whereRaw(`${SETTINGS}.${GATE} is not null`)
  if (condition !== null) void builder.whereRaw(rawCondition(condition))
  if (where !== undefined) void builder.where(where)
  return builder.from(knex.raw(table))
}
