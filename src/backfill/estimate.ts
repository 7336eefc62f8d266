import { type Database, sessionOf } from '../database/session.ts'
import { parseOptions } from '../core/parse-options.ts'
import { identifier } from '../core/sql.ts'
import { countWithoutVector, withoutVector } from './without-vector.ts'
import { readTableFacts } from '../embeddings/table-facts.ts'
import { rowOptions, type BackfillRows } from './options.ts'
import { backfillTarget } from './target.ts'
import { assertColumn, type VectorColumn } from '../columns/column.ts'

/** How many rows there are to backfill, and how much text a model would read for them. */
export interface BackfillEstimate {
  /** Rows without a vector; null if counting would take the server too long. */
  readonly rows: number | null
  /** The mean number of characters that are read per row, over the first thousand rows; null without rows. */
  readonly charactersPerRow: number | null
}

const SAMPLE = 1000

/**
 * Estimates how many rows {@link backfillVectors} would backfill and how long their texts are, which determines what a
 * model costs. It only reads.
 *
 * @example
 * ```ts
 * const { rows, charactersPerRow } = await estimateBackfill(knex, embedding, { read: ['title', 'body'] })
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, RELATION_NOT_FOUND or COLUMN_DIFFERS.
 */
export async function estimateBackfill<Row extends object = Record<string, unknown>>(
  db: Database,
  column: VectorColumn,
  options: BackfillRows<Row>,
): Promise<BackfillEstimate> {
  assertColumn(column)
  const wanted = parseOptions(rowOptions, options)
  const session = sessionOf(db)
  const target = backfillTarget(session, await readTableFacts(session, column), column, wanted)
  const { from: table, alias, read } = target
  const lengths = read.map(
    ({ name }) => `coalesce(pg_catalog.length(${alias}.${identifier(name)}::pg_catalog.text), 0)`,
  )
  const mean = await session.askAsCaller<
    readonly [number | null]
  >(`select pg_catalog.json_build_array(pg_catalog.round(pg_catalog.avg(characters))) as state from (
      select ${lengths.join(' operator(pg_catalog.+) ')} as characters from ${table} as ${alias} where ${withoutVector(target)} limit ${SAMPLE}
    ) as sample`)
  return { rows: await countWithoutVector(session, target), charactersPerRow: mean[0] }
}
