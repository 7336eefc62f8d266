import { conditionOption, nameOption } from '../core/options.ts'
import { lazySchema, type Parsed } from '../core/parse-options.ts'
import type { Embed } from '../embeddings/embedding.ts'
import { embedOptions, isFunction, type EmbedOptions, type WorkEvent } from '../embeddings/worker/options.ts'

/** An event of a running backfill. */
export type BackfillEvent = Exclude<WorkEvent, { readonly type: 'failed' }>

/** The rows of a backfill. */
export interface BackfillRows<Row = Record<string, unknown>> {
  /** The columns of each row that are passed to `embed`. */
  readonly read: readonly (keyof Row & string)[]
  /** Backfill only the rows that meet this SQL condition, which is sent unchanged. */
  readonly where?: string | undefined
}

/** Options of {@link backfillVectors}. */
export interface BackfillOptions<Row = Record<string, unknown>> extends BackfillRows<Row>, EmbedOptions {
  /** Returns the vectors of rows, in the same order. */
  readonly embed: Embed<Row>
  /** Receives the events of the running backfill. */
  readonly onEvent?: ((event: BackfillEvent) => void) | undefined
}

/** Selects the rows of a backfill, and the columns that a model reads. @internal */
export const rowOptions = lazySchema((z) =>
  z.strictObject({
    read: z.array(nameOption(), 'must be a list of columns').min(1, 'must name a column'),
    where: conditionOption().optional(),
  }),
)

/** @internal */
export const backfillOptions = lazySchema((z) =>
  embedOptions().extend({
    ...rowOptions().shape,
    embed: z.custom<Embed<Readonly<Record<string, unknown>>>>(
      isFunction,
      'must be a function that returns the vectors of rows',
    ),
    onEvent: z.custom<(event: BackfillEvent) => void>(isFunction, 'must be a function').optional(),
  }),
)

/** @internal */
export type ParsedRowOptions = Parsed<typeof rowOptions>
/** @internal */
export type ParsedBackfillOptions = Parsed<typeof backfillOptions>
