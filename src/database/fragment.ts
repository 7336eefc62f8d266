import type { Knex } from 'knex'

import { identifier } from '../core/sql.ts'
import { assertPostgres } from './supported.ts'

/** The rows of a query, and what to do with them. */
export interface OrderedRows {
  /** The table, quoted, with its schema if one was given. */
  readonly table: string
  /** The quoted alias that qualifies its columns. */
  readonly alias: string
  /** The columns to return in addition to the ordering value; default: every column. */
  readonly columns: readonly (string | Knex.Raw)[] | undefined
  /** An SQL condition that every row meets; null for none. */
  readonly condition: string | null
  readonly where: Knex.QueryCallback | Readonly<Record<string, unknown>> | undefined
  readonly limit: number
}

/** An expression that orders rows, with the name of its column in the result. */
export interface Ordering {
  readonly expression: Knex.Raw<number>
  readonly as: string
}

/** Returns an expression for the user's own queries: in `select`, `orderByRaw`, `whereRaw` and `raw`. */
export function fragment<Value>(knex: Knex, sql: string, bindings: readonly string[]): Knex.Raw<Value> {
  assertPostgres(knex)
  return knex.raw<Value>(sql, bindings)
}

/** Returns the expression with a name, for `select` only. */
export function named<Value>(expression: Knex.Raw<Value>, as: string | undefined): Knex.Raw<Value> {
  return as === undefined ? expression : expression.wrap('', ` as ${identifier(as)}`)
}

/** Returns a query for rows in the order of an expression. */
export function orderedRows(knex: Knex, rows: OrderedRows, ordering: Ordering): Knex.QueryBuilder {
  return among(knex, rows, ordered(knex, rows, ordering))
}

/** Returns a query in two steps: `proposal` first selects more rows, and these are then ordered again. */
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
      // Uses the column name, so that the vector is sent only once.
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
