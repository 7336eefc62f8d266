import { durationOption, type Duration } from '../core/durations.ts'
import { conditionOption, nameOption, outputOptions, type Logger } from '../core/options.ts'
import { lazySchema, type Parsed } from '../core/parse-options.ts'
import type { Embed } from '../embeddings/embedding.ts'

/** An event of a running backfill. */
export type BackfillEvent =
  | ({ readonly type: 'progress' } & BackfillProgress)
  /** The model failed and will be called again. */
  | { readonly type: 'retry'; readonly attempt: number; readonly milliseconds: number; readonly error: unknown }
  | { readonly type: 'warning'; readonly message: string }

/** The progress of a backfill. */
export interface BackfillProgress {
  /** Rows that received their vector in this run. */
  readonly filled: number
  /** Rows that had no vector at the start; null if they could not be counted. */
  readonly total: number | null
  readonly rowsPerSecond: number | null
  readonly secondsLeft: number | null
}

/** The rows of a backfill. */
export interface BackfillRows<Row = Record<string, unknown>> {
  /** The columns of each row that are passed to `embed`. */
  readonly read: readonly (keyof Row & string)[]
  /** Backfill only the rows that meet this SQL condition, which is sent unchanged. */
  readonly where?: string | undefined
}

/** Options of {@link backfillVectors}. */
export interface BackfillOptions<Row = Record<string, unknown>> extends BackfillRows<Row> {
  /** Returns the vectors of rows, in the same order. */
  readonly embed: Embed<Row>
  /** The number of rows that are passed to `embed` in one call; default 100. */
  readonly batchSize?: number | undefined
  /** The number of concurrent calls of `embed`; default 1. */
  readonly concurrency?: number | undefined
  /** The number of times that `embed` is called for a batch before its error ends the backfill; default 5. */
  readonly attempts?: number | undefined
  /**
   * The pause before the second call, in milliseconds or like '1s'. It doubles before each further call. Default 1000.
   */
  readonly retryDelay?: Duration | undefined
  /** Stops the backfill after the batches in progress. Rows already backfilled keep their vectors. */
  readonly signal?: AbortSignal | undefined
  /** Receives the events of the running backfill. */
  readonly onEvent?: ((event: BackfillEvent) => void) | undefined
  /** Where messages go; default: the console. `false` silences them. */
  readonly logger?: Logger | false | undefined
}

const MOST_ROWS = 10_000
const MOST_CALLS = 100

function isFunction(value: unknown): boolean {
  return typeof value === 'function'
}

/** Selects the rows of a backfill, and the columns that a model reads. @internal */
export const rowOptions = lazySchema((z) =>
  z.strictObject({
    read: z.array(nameOption(), 'must be a list of columns').min(1, 'must name a column'),
    where: conditionOption().optional(),
  }),
)

/** @internal */
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

/** @internal */
export type ParsedRowOptions = Parsed<typeof rowOptions>
/** @internal */
export type ParsedBackfillOptions = Parsed<typeof backfillOptions>
