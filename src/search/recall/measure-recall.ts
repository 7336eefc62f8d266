import type { QueryVector } from '../../columns/read-elements.ts'
import { checkedBinary } from '../../columns/values.ts'
import { binaryText } from '../../columns/wire-format.ts'
import { positiveDurationOption, type Duration } from '../../core/durations.ts'
import { PgvectorMigrationError } from '../../core/errors.ts'
import { lazySchema, parseOptions } from '../../core/parse-options.ts'
import { type Database, type Session, sessionOf } from '../../database/session.ts'
import { knownSchema } from '../../extension/known-schema.ts'
import { assertIndex, type VectorIndex } from '../../indexes/vector-index.ts'
import { readSearchFacts } from '../facts.ts'
import { searchSettings } from '../settings.ts'
import type { Bounded } from './exact.ts'
import { findSmallest, type RecallVerdict } from './find-smallest.ts'
import { smallestSample, type RecallInterval } from './interval.ts'
import { quantile, recallMeter } from './meter.ts'
import { readTableSize, sampleRows, type SampledQuery } from './sample.ts'

/** Options of {@link measureRecall}. */
export interface MeasureRecallOptions {
  /** The number of neighbours that a search asks for; default 10. */
  readonly k?: number | undefined
  /** The recall to reach, above 0 and below 1; default 0.95. */
  readonly target?: number | undefined
  /** The number of rows whose vectors are searched for; default 400. Not with `queries`. */
  readonly sample?: number | undefined
  /** Vectors to search for, such as those of real queries, instead of the table's own. */
  readonly queries?: readonly QueryVector[] | undefined
  /** PostgreSQL's statement_timeout for each statement, in milliseconds or like '2s'; default 2000. */
  readonly statementTimeout?: Duration | undefined
  /** Stops the measurement. */
  readonly signal?: AbortSignal | undefined
}

/** The recall and the latency of searches with one setting. */
export interface RecallPoint extends RecallInterval {
  /** The value of `efSearch`, or of `probes` for an ivfflat index. */
  readonly setting: number
  /** The median and the 95th percentile of a search, in milliseconds. */
  readonly p50: number
  readonly p95: number
}

/** What {@link measureRecall} found. */
export interface MeasuredRecall {
  /** What was searched for: vectors of rows, or the given `queries`. */
  readonly sampled: 'rows' | 'queries'
  /** The number of queries. */
  readonly n: number
  readonly points: readonly RecallPoint[]
  /** The smallest setting that reaches the target; null for none. */
  readonly smallest: number | null
  readonly verdict: RecallVerdict
  /** The round trip of an empty query, in milliseconds, which every latency contains. */
  readonly roundTripMs: number
  readonly warnings: readonly string[]
}

/** @internal */
export const measureRecallOptions = lazySchema((z) =>
  z.strictObject({
    k: z.int('must be a whole number').min(1).max(500).default(10),
    target: z.number().gt(0, 'must be above 0').lt(1, 'must be below 1').default(0.95),
    sample: z.int('must be a whole number').min(10).max(10_000).optional(),
    queries: z.array(z.custom<QueryVector>()).max(10_000).optional(),
    statementTimeout: positiveDurationOption().default(2000),
    signal: z.instanceof(AbortSignal, { message: 'must be an AbortSignal' }).optional(),
  }),
)

const DEFAULT_SAMPLE = 400

// A statement of the exact part aims at this share of its time limit.
const SHARE = 0.1

/**
 * Measures how many of the true nearest neighbours an index finds, on the table's own data: vectors of random rows are
 * searched for exactly and with the index. Finds the smallest `efSearch` or `probes` that reaches a target.
 *
 * It only reads, in short transactions whose statements have a time limit, so it also runs on a standby and for a role that
 * may only select. Each row is excluded from its own neighbours. Neighbours count by distance, so that duplicates do no harm.
 *
 * @example
 * ```ts
 * const { verdict, smallest, points } = await measureRecall(knex, index, { target: 0.95 })
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, also where the sample is too small for the target, in a transaction, or for
 * a partitioned table; PGVECTOR_NOT_ENABLED, RELATION_NOT_FOUND or UNSUPPORTED_DATABASE.
 */
export async function measureRecall(
  db: Database,
  index: VectorIndex,
  options: MeasureRecallOptions = {},
): Promise<MeasuredRecall> {
  assertIndex(index)
  const { k, target, sample, queries: given, statementTimeout, signal } = parseOptions(measureRecallOptions, options)
  const session = sessionOf(db)
  const asked = given === undefined ? null : queriesIn(given, index)
  if (asked !== null && sample !== undefined) throw refused('sample: cannot be combined with queries')
  const count = asked?.length ?? sample ?? DEFAULT_SAMPLE
  const needed = smallestSample(target)
  if (count < needed) {
    throw refused(`${asked === null ? 'sample' : 'queries'}: must be at least ${needed} for the target ${target}`)
  }
  if (session.isInTransaction)
    throw refused('measureRecall needs a Knex instance: it opens short transactions of its own')
  const { column } = index
  await readSearchFacts(session, column)
  const size = await readTableSize(session, index)
  if (size === null) throw refused('index: is not on an ordinary table. Measure the index of a partition')
  const bounded: Bounded = (work) => {
    signal?.throwIfAborted()
    return session.transaction(work, { readOnly: true, begin: [`set local statement_timeout = ${statementTimeout}`] })
  }
  const queries = asked ?? (await bounded((trx) => sampleRows(trx, index, size, count)))
  const meter = await recallMeter(bounded, index, queries, {
    k,
    pages: size.pages,
    schema: knownSchema(session.identity) ?? 'public',
    aim: SHARE * statementTimeout,
    signal,
  })
  const { option, from, to } = settingOf(index, k)
  const measure = async (setting: number): Promise<RecallPoint> => ({
    setting,
    ...(await meter({ [option]: setting })),
  })
  const found = await findSmallest(target, { from, to }, measure)
  return {
    sampled: asked === null ? 'rows' : 'queries',
    n: queries.length,
    ...found,
    roundTripMs: await bounded(roundTrip),
    warnings:
      asked === null
        ? [`${queries.length} of the table's own rows: real queries may find less. Pass queries to measure those`]
        : [],
  }
}

/** Returns the given queries as text, after checking that the server can compare each of them. */
function queriesIn(given: readonly QueryVector[], { column, metric }: VectorIndex): SampledQuery[] {
  const { type, dimensions } = column
  const checked = given.map((query) => checkedBinary(query, { type, dimensions }, metric === 'cosine'))
  const problems = checked.flatMap((each, place) =>
    'problems' in each ? each.problems.map((problem) => `queries[${place}]: ${problem}`) : [],
  )
  if (problems.length > 0) throw new PgvectorMigrationError('INVALID_OPTIONS', { problems: problems.slice(0, 10) })
  return checked.flatMap((each) => ('binary' in each ? [{ self: null, vector: binaryText(type, each.binary) }] : []))
}

function settingOf(
  { method, parameters }: VectorIndex,
  k: number,
): { option: 'efSearch' | 'probes'; from: number; to: number } {
  if (method === 'ivfflat')
    return { option: 'probes', from: 1, to: parameters.lists ?? searchSettings['ivfflat.probes'].values.largest }
  return { option: 'efSearch', from: k, to: searchSettings['hnsw.ef_search'].values.largest }
}

async function roundTrip(trx: Session): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < 5; round++) {
    const started = performance.now()
    await trx.askAsCaller('select 1 as state')
    times.push(performance.now() - started)
  }
  return quantile(times, 0.5)
}

function refused(problem: string): PgvectorMigrationError {
  return new PgvectorMigrationError('INVALID_OPTIONS', { problems: [problem] })
}
