import type { Knex } from 'knex'
import type { ZodType } from 'zod'

import { isPgvectorMigrationError, PgvectorMigrationError, sqlStateOf } from '../core/errors.ts'
import { parseOptions, type LazySchema, type Parsed } from '../core/parse-options.ts'
import { type Database, type Session, sessionOf } from '../database/session.ts'
import { sqlState } from '../database/sqlstate.ts'
import { assertEmbedding, type Embedding } from '../embeddings/embedding.ts'
import { distanceOptions, type DistanceOptions } from '../search/distances.ts'
import { nearest } from '../search/nearest.ts'
import { nearestRowsOptions } from '../search/nearest-rows-options.ts'
import { nearestRows, type NearestRows } from '../search/nearest-rows.ts'
import { forgetPairs, searchablePairs } from './active-pair.ts'
import {
  embedTextOptions,
  type EmbedTextOptions,
  type NearestTextOptions,
  type VectorOfModel,
} from './nearest-text-options.ts'
import { vectorFor } from './query-pair.ts'

/** What {@link nearestText} found, and with which model. */
export interface NearestText<Row extends object = Record<string, unknown>> extends NearestRows<Row> {
  /** The column that was searched. */
  readonly column: string
  /** The model of its vectors, and of the query's. */
  readonly model: string
}

/**
 * Finds the rows nearest to a text. It reads which column and model are active, makes the query's vector with that model,
 * and searches that column, so a query of one model is never compared with vectors of another: also not while old and new
 * releases run side by side during a change of model.
 *
 * Instead of a text, it takes a vector with the name of its model, and searches the column of that model.
 *
 * @example
 * ```ts
 * const { rows } = await nearestText(knex, articles, 'how to brew tea', { embed: { 'small-3': embedQuery }, limit: 10 })
 * ```
 * @throws {PgvectorMigrationError} what {@link nearestRows} throws, and MODEL_NOT_SEARCHABLE.
 */
export async function nearestText<Row extends object = Record<string, unknown>, As extends string = 'distance'>(
  db: Database,
  embedding: Embedding,
  query: string | VectorOfModel,
  options: NearestTextOptions<As>,
): Promise<NearestText<Row & Record<As, number>>> {
  assertEmbedding(embedding)
  assertQuery(query)
  const { needs, rest: search } = readOptions(nearestRowsOptions, options)
  const session = sessionOf(db)
  return twice(session, embedding, async () => {
    const pairs = await searchablePairs(session, embedding)
    const { pair, vector } = await vectorFor(embedding, pairs, query, needs)
    const found = await nearestRows<Row, As>(db, pair.index, vector, search)
    const { model, column } = pair
    return { ...found, warnings: [...pairs.warnings, ...found.warnings], column: column.name, model }
  })
}

/**
 * Orders your own query by the distance from a text, like {@link nearest}, by the column and the model that are active.
 *
 * @example
 * ```ts
 * const order = await nearestTo(knex, articles, 'how to brew tea', { embed: { 'small-3': embedQuery } })
 * const rows = await knex('articles').where({ tenant: 7 }).modify(order).limit(10)
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, RELATION_NOT_FOUND or MODEL_NOT_SEARCHABLE.
 */
export async function nearestTo(
  db: Database,
  embedding: Embedding,
  query: string | VectorOfModel,
  options: EmbedTextOptions & DistanceOptions,
): Promise<(builder: Knex.QueryBuilder) => void> {
  assertEmbedding(embedding)
  assertQuery(query)
  const { needs, rest: place } = readOptions(distanceOptions, options)
  const session = sessionOf(db)
  const pairs = await searchablePairs(session, embedding)
  const { pair, vector } = await vectorFor(embedding, pairs, query, needs)
  return nearest(pair.index, vector, place)
}

// The change of model may have dropped the column since the registry was read.
async function twice<Result>(session: Session, embedding: Embedding, search: () => Promise<Result>): Promise<Result> {
  try {
    return await search()
  } catch (error) {
    const isOutdated =
      sqlStateOf(error) === sqlState.undefinedColumn || isPgvectorMigrationError(error, 'MODEL_NOT_SEARCHABLE')
    if (!isOutdated) throw error
    forgetPairs(session, embedding)
    if (session.isInTransaction && sqlStateOf(error) !== undefined) throw error
    return search()
  }
}

/** Separates what makes the vector from the options of the search, which are checked before anything is sent. */
function readOptions<Options extends EmbedTextOptions>(
  schema: LazySchema<ZodType>,
  options: Options,
): { readonly needs: Parsed<typeof embedTextOptions>; readonly rest: Omit<Options, keyof EmbedTextOptions> } {
  if (!isObject(options)) parseOptions(schema, options)
  const { embed, signal, ...rest } = options
  parseOptions(schema, rest)
  return { needs: parseOptions(embedTextOptions, { embed, signal }), rest }
}

function assertQuery(query: unknown): void {
  const { vector, model } = isObject(query) ? (query as Partial<VectorOfModel>) : {}
  if (typeof query === 'string' || (vector !== undefined && typeof model === 'string')) return
  const problems = ['query: must be a text, or { vector, model } with the name of the model that made the vector']
  throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
