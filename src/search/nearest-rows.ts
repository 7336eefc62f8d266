import type { Knex } from 'knex'

import { orderedRows, reorderedRows } from '../database/fragment.ts'
import type { Database } from '../database/session.ts'
import { lazySchema, parseOptions } from '../core/parse-options.ts'
import { identifier } from '../core/sql.ts'
import { tableOf } from '../columns/column.ts'
import type { QueryVector } from '../columns/values.ts'
import { distanceOptions, exactDistance, indexedDistance } from './distance.ts'
import { assertIndex, conditionSql, type VectorIndex } from '../indexes/vector-index.ts'
import { knownSchema } from '../extension/known-schema.ts'

/** Options of {@link nearestRows}. */
export interface NearestRowsOptions<As extends string = string> {
  /** The number of rows to find. */
  readonly limit: number
  /**
   * The number of rows that the index proposes, to be ordered again by the exact distance. The default is ten times
   * `limit` if the index uses binary quantization, and otherwise no second ordering. It has no effect if the index
   * stores the values unchanged.
   */
  readonly candidates?: number | undefined
  /** The rows to search, as Knex's `where` accepts it: an object, or a function that receives the query. */
  readonly where?: Knex.QueryCallback | Readonly<Record<string, unknown>> | undefined
  /** The columns to return in addition to the distance; default: every column. */
  readonly columns?: readonly (string | Knex.Raw)[] | undefined
  /** The name of the distance in the result; default `distance`. Choose another one if the table has such a column. */
  readonly as?: As | undefined
  /**
   * The schema of the extension; default: where `ensurePgvector` found it with this Knex configuration, or else the
   * search path.
   */
  readonly schema?: string | undefined
}

const nearestRowsOptions = lazySchema((z) => {
  const count = z.int('must be a whole number').min(1, 'must be at least 1')
  return distanceOptions()
    .omit({ alias: true })
    .extend({
      limit: count,
      candidates: count.optional(),
      where: z
        .custom<NearestRowsOptions['where']>(
          (value) => (typeof value === 'object' && value !== null) || typeof value === 'function',
          'must be an object or a function',
        )
        .optional(),
      columns: z.custom<readonly (string | Knex.Raw)[]>(Array.isArray, 'must be a list of columns').optional(),
    })
    .refine(({ limit, candidates = limit }) => candidates >= limit, {
      path: ['candidates'],
      error: 'must be at least the limit',
    })
})

const OVERSAMPLING = 10

/**
 * The rows nearest to a vector, nearest first, each with its `distance` (see {@link distance}): a Knex query that uses
 * the index, whatever it keeps. Of an index that keeps signs it takes more rows than asked for and orders them again by
 * the exact distance. Of a partial index it looks among the rows of the index.
 *
 * An index proposes only so many rows: hnsw `efSearch` of them (40 by default), also where `limit` or `candidates` asks
 * for more; see {@link withSearchOptions}.
 *
 * @example
 * ```ts
 * const rows = await nearestRows(knex, index, embedding, { limit: 10, where: { tenant: 7 } })
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, with every problem of the options or of the vector.
 */
export function nearestRows<Row extends object = Record<string, unknown>, As extends string = 'distance'>(
  knex: Database,
  index: VectorIndex,
  query: QueryVector,
  options: NearestRowsOptions<As>,
): Knex.QueryBuilder<Row, (Row & Record<As, number>)[]> {
  assertIndex(index)
  const parsed = parseOptions(nearestRowsOptions, options)
  const { limit, where, columns, as = 'distance', schema = knownSchema(knex) } = parsed
  const { column, metric, storage } = index
  const rows = {
    table: tableOf(column),
    alias: identifier(column.table),
    columns,
    condition: conditionSql(index),
    where,
    limit,
  }
  const inIndexOrder = indexedDistance(knex, index, query, schema, column.table)
  const candidates = parsed.candidates ?? (storage.reRank ? OVERSAMPLING * limit : undefined)
  if (storage.expression === 'column' || candidates === undefined) {
    return orderedRows(knex, rows, { expression: inIndexOrder, as })
  }
  const exact = exactDistance(knex, column, metric, query, schema, column.table)
  return reorderedRows(knex, rows, { expression: exact, as }, { expression: inIndexOrder, limit: candidates })
}
