import type { Knex } from 'knex'

import { nameOption } from '../core/options.ts'
import { lazySchema } from '../core/parse-options.ts'
import { searchOptions, type SearchOptions } from './settings.ts'

/** Options of {@link nearestRows}: what to find, and how far to search. */
export interface NearestRowsOptions<As extends string = string> extends SearchOptions {
  /** The number of rows to find. */
  readonly limit: number
  /** The number of nearest rows to skip first; default 0. */
  readonly offset?: number | undefined
  /** The rows to search, as Knex's `where` accepts it: an object, or a function that receives the query. */
  readonly where?: Knex.QueryCallback | Readonly<Record<string, unknown>> | undefined
  /** The columns to return in addition to the distance; default: every column except vector columns. */
  readonly columns?: readonly (string | Knex.Raw)[] | undefined
  /** The name of the distance in the result; default `distance`. */
  readonly as?: As | undefined
  /**
   * The number of rows that the index proposes, to be ordered again by the exact distance. The default is ten times
   * `limit` and `offset` if the index uses binary quantization, and otherwise no second ordering. Only for an
   * index that stores a cast or a quantization of the values.
   */
  readonly candidates?: number | undefined
  /** The schema of the extension; default: where this Knex instance found it. */
  readonly schema?: string | undefined
}

const DEFAULT_NAME = 'distance'

/** @internal */
export const nearestRowsOptions = lazySchema((z) => {
  const count = z.int('must be a whole number').min(1, 'must be at least 1')
  return searchOptions()
    .extend({
      limit: count,
      offset: z.int('must be a whole number').min(0, 'must not be negative').default(0),
      where: z
        .custom<NearestRowsOptions['where']>(
          (value) => (typeof value === 'object' && value !== null) || typeof value === 'function',
          'must be an object or a function',
        )
        .optional(),
      columns: z.custom<readonly (string | Knex.Raw)[]>(Array.isArray, 'must be a list of columns').optional(),
      as: nameOption().default(DEFAULT_NAME),
      candidates: count.optional(),
      schema: nameOption().optional(),
    })
    .refine(({ limit, offset, candidates = limit + offset }) => candidates >= limit + offset, {
      path: ['candidates'],
      error: 'must be at least limit and offset together',
    })
    .refine(({ as, columns = [] }) => !columns.includes(as), {
      path: ['as'],
      error: 'must not be one of columns',
    })
})
