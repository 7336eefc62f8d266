import type { Knex } from 'knex'

import { identifier } from '../core/sql.ts'
import { assertPostgres } from './supported.ts'

/** The rows a query is about, and what becomes of them. */
export interface OrderedRows {
  /** The table, quoted, with its schema where one was given. */
  readonly table: string
  /** What its columns are qualified by, quoted. */
  readonly alias: string
  /** What to return of each row beside the value that orders them; default every column. */
  readonly columns: readonly (string | Knex.Raw)[] | undefined
  /** A condition in SQL that every row fulfils; null for none. */
  readonly condition: string | null
  readonly where: Knex.QueryCallback | Readonly<Record<string, unknown>> | undefined
  readonly limit: number
}

/** An expression that orders rows, with the name of its column in the result. */
export interface Ordering {
  readonly expression: Knex.Raw<number>
  readonly as: string
}

/** An expression for the user's own queries: in `select`, `orderByRaw`, `whereRaw` and `raw`. */
export function fragment<Value>(knex: Knex, sql: string, bindings: readonly string[]): Knex.Raw<Value> {
  assertPostgres(knex)
  return knex.raw<Value>(sql, bindings)
}

/** The same with a name, for `select` alone. */
export function named<Value>(expression: Knex.Raw<Value>, as: string | undefined): Knex.Raw<Value> {
  return as === undefined ? expression : expression.wrap('', ` as ${identifier(as)}`)
}

/** A query for rows in the order of an expression. */
export function orderedRows(knex: Knex, rows: OrderedRows, ordering: Ordering): Knex.QueryBuilder {
  return among(knex, rows, ordered(knex, rows, ordering))
}

/** The same, where `proposal` orders more rows first, of which those that it proposes are ordered again. */
export function reorderedRows(
  knex: Knex,
  rows: OrderedRows,
  ordering: Ordering,
  proposal: { readonly expression: Knex.Raw<number>; readonly limit: number },
): Knex.QueryBuilder {
  const { expression, limit } = proposal
  const everything = knex.queryBuilder().select(allColumns(knex, rows))
  const proposed = among(knex, rows, everything.orderByRaw(expression).limit(limit))
  return ordered(knex, rows, ordering).from(knex.raw(`? as ${rows.alias}`, [proposed]))
}

function ordered(knex: Knex, rows: OrderedRows, { expression, as }: Ordering): Knex.QueryBuilder {
  return (
    knex
      .queryBuilder()
      .select(rows.columns ?? allColumns(knex, rows))
      .select(named(expression, as))
      // By its name, so that the vector is sent once.
      .orderByRaw(identifier(as))
      .limit(rows.limit)
  )
}

function among(knex: Knex, { table, condition, where }: OrderedRows, builder: Knex.QueryBuilder): Knex.QueryBuilder {
  if (condition !== null) void builder.whereRaw(condition.replaceAll('?', '\\?'))
  if (where !== undefined) void builder.where(where)
  return builder.from(knex.raw(table))
}

function allColumns(knex: Knex, { alias }: OrderedRows): Knex.Raw {
  return knex.raw(`${alias}.*`)
}
