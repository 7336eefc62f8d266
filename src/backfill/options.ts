import { durationOption, type Duration } from '../core/durations.ts'
import { conditionOption, nameOption, outputOptions, type Logger } from '../core/options.ts'
import { lazySchema, type Parsed } from '../core/parse-options.ts'
import type { QueryVector } from '../columns/values.ts'

/**
 * Makes the vectors of rows, in their order: calls your model. A null leaves that row as it is.
 *
 * Rejected, it is called again after a pause, up to `attempts` times; `signal` tells that nobody waits for it any more.
 */
export type Embed<Row> = (
  rows: readonly Row[],
  options: { readonly signal: AbortSignal },
) => PromiseLike<readonly (QueryVector | null)[]>

/** What a backfill tells while it runs. */
export type BackfillEvent =
  | ({ readonly type: 'progress' } & BackfillProgress)
  /** The model failed and is asked again. */
  | { readonly type: 'retry'; readonly attempt: number; readonly milliseconds: number; readonly error: unknown }
  | { readonly type: 'warning'; readonly message: string }

/** How far a backfill is. */
export interface BackfillProgress {
  /** Rows that got their vector in this run. */
  readonly filled: number
  /** Rows without a vector when it began; null where they could not be counted. */
  readonly total: number | null
  readonly rowsPerSecond: number | null
  readonly secondsLeft: number | null
}

/** Which rows a backfill is about. */
export interface BackfillRows<Row = Record<string, unknown>> {
  /** The columns that `embed` is given of each row. */
  readonly read: readonly (keyof Row & string)[]
  /** Fill only the rows for which this SQL condition is true; it is sent as it stands. */
  readonly where?: string | undefined
}

/** What {@link backfillVectors} is told. */
export interface BackfillOptions<Row = Record<string, unknown>> extends BackfillRows<Row> {
  /** Makes the vectors of rows, in their order. */
  readonly embed: Embed<Row>
  /** Rows that `embed` is given at once; default 100. */
  readonly batchSize?: number | undefined
  /** Calls of `embed` at the same time; default 1. */
  readonly concurrency?: number | undefined
  /** How often `embed` is called for a batch before its error ends the backfill; default 5. */
  readonly attempts?: number | undefined
  /** The pause before the second call, in milliseconds or like '1s', doubled for each further one; default 1000. */
  readonly retryDelay?: Duration | undefined
  /** Stops it after what is under way; what is filled stays. */
  readonly signal?: AbortSignal | undefined
  /** Hears what happens while it runs. */
  readonly onEvent?: ((event: BackfillEvent) => void) | undefined
  /** Where messages go; default the console. `false` silences them. */
  readonly logger?: Logger | false | undefined
}

const MOST_ROWS = 10_000
const MOST_CALLS = 100

function isFunction(value: unknown): boolean {
  return typeof value === 'function'
}

/** Which rows a backfill is about, and what of them a model reads. */
export const rowOptions = lazySchema((z) =>
  z.strictObject({
    read: z.array(nameOption(), 'must be a list of columns').min(1, 'must name a column'),
    where: conditionOption().optional(),
  }),
)

export const backfillOptions = lazySchema((z) => {
  const count = z.int('must be a whole number').min(1, 'must be at least 1')
  return rowOptions().extend({
    embed: z.custom<Embed<Readonly<Record<string, unknown>>>>(
      isFunction,
      'must be a function that returns the vectors of rows',
    ),
    batchSize: count.max(MOST_ROWS, `must be at most ${MOST_ROWS}`).default(100),
    concurrency: count.max(MOST_CALLS, `must be at most ${MOST_CALLS}`).default(1),
    attempts: count.default(5),
    retryDelay: durationOption().default(1000),
    signal: z.instanceof(AbortSignal, { message: 'must be an AbortSignal' }).optional(),
    onEvent: z.custom<(event: BackfillEvent) => void>(isFunction, 'must be a function').optional(),
    logger: outputOptions().shape.logger,
  })
})

export type ParsedRowOptions = Parsed<typeof rowOptions>
export type ParsedBackfillOptions = Parsed<typeof backfillOptions>
