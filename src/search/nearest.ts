import type { Knex } from 'knex'

import type { QueryVector } from '../columns/read-elements.ts'
import { parseOptions } from '../core/parse-options.ts'
import { assertIndex, conditionSql, type VectorIndex } from '../indexes/vector-index.ts'
import { orderWithin } from '../database/fragment.ts'
import { distanceOptions, type DistanceOptions } from './distances.ts'
import { indexedDistance } from './expressions.ts'

/**
 * Orders your own query by the distance that an index measures, with the same expression as the index, so that the query
 * can use it. For a partial index it adds the condition. The query may return fewer rows than its limit, and the order of a
 * quantized index is approximate. {@link nearestRows} checks the one and corrects the other.
 *
 * @example
 * ```ts
 * const rows = await knex('documents').where({ tenant: 7 }).modify(nearest(index, query)).limit(10)
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS
 */
export function nearest(
  index: VectorIndex,
  query: QueryVector,
  options: DistanceOptions = {},
): (builder: Knex.QueryBuilder) => void {
  assertIndex(index)
  const { alias = index.column.table, schema } = parseOptions(distanceOptions, options)
  const distance = indexedDistance(index, query, { alias, schema })
  const condition = conditionSql(index)
  return (builder) => orderWithin(builder, condition, distance)
}
