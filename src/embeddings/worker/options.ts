import { durationOption, positiveDurationOption, type Duration } from '../../core/durations.ts'
import { outputOptions, type Logger } from '../../core/options.ts'
import { lazySchema, type Parsed } from '../../core/parse-options.ts'
import type { Embed } from '../embedding.ts'

/** An event of a running worker. */
export type WorkEvent =
  | ({ readonly type: 'progress' } & WorkProgress)
  /** The model failed and will be called again. */
  | { readonly type: 'retry'; readonly attempt: number; readonly milliseconds: number; readonly error: unknown }
  /** A row was given up until it changes, or until it is retried. */
  | { readonly type: 'failed'; readonly key: readonly string[]; readonly error: string }
  | { readonly type: 'warning'; readonly message: string }

/** The progress of a worker. */
export interface WorkProgress {
  /** Rows that received their vector in this run. */
  readonly filled: number
  /** Rows that had to be embedded at the start; null if they were not counted. */
  readonly total: number | null
  readonly rowsPerSecond: number | null
  readonly secondsLeft: number | null
}

/** How the model is called: options of everything that embeds. */
export interface EmbedOptions {
  /** The most rows that are passed to `embed` in one call; default 100. Long texts make it fewer. */
  readonly batchSize?: number | undefined
  /** The number of concurrent calls of `embed`; default 1. */
  readonly concurrency?: number | undefined
  /** The number of times that `embed` is called for a batch before it counts as failed; default 5. */
  readonly attempts?: number | undefined
  /**
   * The pause before the second call, in milliseconds or like '1s'. It doubles before each further call, up to a minute.
   * An error with `retryAfter` (milliseconds, or a text like '2s') sets its own pause. Default 1000.
   */
  readonly retryDelay?: Duration | undefined
  /** The longest time that one call of `embed` may take, in milliseconds or like '5m'; default '10m'. */
  readonly timeout?: Duration | undefined
  /** Stops the work after the batches in progress. Rows that have their vector keep it. */
  readonly signal?: AbortSignal | undefined
  /** Where messages go; default: the console. `false` silences them. */
  readonly logger?: Logger | false | undefined
}

/** Options of {@link backfill}. */
export interface BackfillInStepOptions<Row = Record<string, unknown>> extends EmbedOptions {
  /** Returns the vectors of rows, in the same order; default: that of the embedding. */
  readonly embed?: Embed<Row> | undefined
  /** How long a claim on rows lasts if its worker is killed, in milliseconds or like '60s'; default 60000. */
  readonly lease?: Duration | undefined
  /** Receives the events of the running worker. */
  readonly onEvent?: ((event: WorkEvent) => void) | undefined
}

/** Options of {@link keepInStep}. */
export interface KeepInStepOptions<Row = Record<string, unknown>> extends BackfillInStepOptions<Row> {
  /**
   * How long a row rests after an edit before it is embedded, in milliseconds or like '1s', so that several edits in a
   * row cost one vector; default 1000.
   */
  readonly settle?: Duration | undefined
  /** How often to look for stale rows while there are none, in milliseconds or like '1s'; default 1000. */
  readonly poll?: Duration | undefined
  /** Also wait for the trigger's NOTIFY, which `KeepInStep` has to be set up with; default false. */
  readonly listen?: boolean | undefined
}

const MOST_ROWS = 10_000
const MOST_CALLS = 100

/** Whether a value can be called. */
export function isFunction(value: unknown): boolean {
  return typeof value === 'function'
}

/** @internal */
export const embedOptions = lazySchema((z) => {
  const count = z.int('must be a whole number').min(1, 'must be at least 1')
  return z.strictObject({
    batchSize: count.max(MOST_ROWS, `must be at most ${MOST_ROWS}`).default(100),
    concurrency: count.max(MOST_CALLS, `must be at most ${MOST_CALLS}`).default(1),
    attempts: count.default(5),
    retryDelay: durationOption().default(1000),
    timeout: positiveDurationOption().default(600_000),
    signal: z.instanceof(AbortSignal, { message: 'must be an AbortSignal' }).optional(),
    logger: outputOptions().shape.logger,
  })
})

/** @internal */
export const backfillInStepOptions = lazySchema((z) =>
  embedOptions().extend({
    embed: z
      .custom<Embed<Readonly<Record<string, unknown>>>>(
        isFunction,
        'must be a function that returns the vectors of rows',
      )
      .optional(),
    lease: positiveDurationOption().default(60_000),
    onEvent: z.custom<(event: WorkEvent) => void>(isFunction, 'must be a function').optional(),
  }),
)

/** @internal */
export const keepInStepOptions = lazySchema((z) =>
  backfillInStepOptions().extend({
    settle: durationOption().default(1000),
    poll: positiveDurationOption().default(1000),
    listen: z.boolean('must be true or false').default(false),
  }),
)

/** @internal */
export type ParsedKeepInStepOptions = Parsed<typeof keepInStepOptions>
