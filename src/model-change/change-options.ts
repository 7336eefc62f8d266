import { columnOptions, type AddColumnOptions } from '../columns/change-options.ts'
import { isVectorColumn, type VectorColumn } from '../columns/column.ts'
import { durationOption, positiveDurationOption, type Duration } from '../core/durations.ts'
import { lazySchema, type Parsed } from '../core/parse-options.ts'
import type { Embed } from '../embeddings/embedding.ts'
import type { IndexBuildEvent } from '../indexes/build/options.ts'
import type { StorageChoice } from '../indexes/storage.ts'
import type { IndexParameters } from '../indexes/vector-index.ts'
import { indexMethods, metrics, type IndexMethod, type Metric } from '../pgvector/index-methods.ts'
import { CACHE_MILLISECONDS } from './active-pair.ts'
import type { ChangeEvent } from './events.ts'
import { phases, type Phase } from './phase.ts'

/** The new column and model, and how they are indexed. */
export interface NewModel extends IndexParameters {
  /** The new column, declared with `vectorColumn`. Its type and dimensions may differ from those of the old one. */
  readonly column: VectorColumn
  /** The name of the new model. */
  readonly model: string
  /** The distance that searches order by; default: that of the old column. */
  readonly metric?: Metric | undefined
  /** The method of the new index; default `hnsw`. */
  readonly method?: IndexMethod | undefined
  /** What the new index stores; default: the choice that loses least. */
  readonly storage?: StorageChoice | undefined
}

/** Options of {@link changeModel}. */
export interface ChangeModelOptions<Row extends object = Record<string, unknown>> {
  /** The new column and model. */
  readonly to: NewModel
  /** Computes the vectors of rows, by the name of the model. `advance` and `switch` call the new one. */
  readonly embed?: Readonly<Record<string, Embed<Row>>> | undefined
}

/** Options of every step of a change of model. */
export interface ModelStepOptions extends AddColumnOptions {
  /** Stops the step. The same command resumes it. */
  readonly signal?: AbortSignal | undefined
  /** Receives the events of the step. */
  readonly onEvent?: ((event: ChangeEvent | IndexBuildEvent) => void) | undefined
}

/** Options of `advance`. */
export interface AdvanceOptions extends ModelStepOptions {
  /** The last phase to run; default `compare`, which is the last before the switch. */
  readonly until?: 'expand' | 'backfill' | 'index' | 'drain' | 'compare' | undefined
  /** The number of rows that are passed to `embed` in one call; default 100. */
  readonly batchSize?: number | undefined
  /** The number of concurrent calls of `embed`; default 1. */
  readonly concurrency?: number | undefined
  /** How long the claim of a killed run on its rows lasts, in milliseconds or like '60s'; default 60000. */
  readonly lease?: Duration | undefined
  /** The most memory that the index build may use, in bytes or like '2GB'. */
  readonly maxMemory?: number | string | undefined
}

/** Options of `back`. */
export interface BackOptions extends ModelStepOptions {
  /** The phase to return to, with everything after it removed; default: the state before the last one. */
  readonly to?: 'expand' | 'index' | 'switch' | undefined
  /** How long to watch whether searches still use a column before it is dropped; default '15s'. */
  readonly quiet?: Duration | undefined
}

/** Options of `contract`. */
export interface ContractOptions extends ModelStepOptions {
  /** Drop the old column, its index and what kept it in step. It is the only step that cannot be rolled back. */
  readonly confirm: true
  /**
   * How long to watch whether searches still use the old index, at least 4 seconds; default '15s', because PostgreSQL
   * counts the searches of an idle connection up to 10 seconds later.
   */
  readonly quiet?: Duration | undefined
}

const isFunction = (value: unknown): boolean => typeof value === 'function'

/** @internal */
export const newModelOptions = lazySchema((z) => {
  const count = z.int('must be a whole number').min(1, 'must be at least 1')
  return z.strictObject({
    column: z.custom<VectorColumn>(isVectorColumn, 'must be created by vectorColumn'),
    model: z.string('must be a text').min(1, 'must not be empty'),
    metric: z
      .enum(Object.keys(metrics) as readonly Metric[], `must be one of ${Object.keys(metrics).join(', ')}`)
      .optional(),
    method: z.enum(indexMethods, 'must be hnsw or ivfflat').default('hnsw'),
    storage: z.enum(['column', 'halfvec', 'binary'], 'must be column, halfvec or binary').optional(),
    m: count.optional(),
    efConstruction: count.optional(),
    lists: count.optional(),
  })
})

/** @internal */
export const changeModelOptions = lazySchema((z) =>
  z.strictObject({
    to: newModelOptions(),
    embed: z
      .record(z.string(), z.custom<Embed<Readonly<Record<string, unknown>>>>(isFunction, 'must be a function'))
      .optional(),
  }),
)

/** @internal */
export const stepOptions = lazySchema((z) =>
  columnOptions().extend({
    signal: z.instanceof(AbortSignal, { message: 'must be an AbortSignal' }).optional(),
    onEvent: z.custom<NonNullable<ModelStepOptions['onEvent']>>(isFunction, 'must be a function').optional(),
  }),
)

const lastPhases = phases.filter((phase): phase is NonNullable<AdvanceOptions['until']> => isBeforeSwitch(phase))

function isBeforeSwitch(phase: Phase): boolean {
  return phases.indexOf(phase) < phases.indexOf('switch')
}

/** @internal */
export const advanceOptions = lazySchema((z) => {
  const count = z.int('must be a whole number').min(1, 'must be at least 1')
  return stepOptions().extend({
    until: z.enum(lastPhases, `must be one of ${lastPhases.join(', ')}`).default('compare'),
    batchSize: count.default(100),
    concurrency: count.default(1),
    lease: positiveDurationOption().default(60_000),
    maxMemory: z.union([z.number(), z.string()]).optional(),
  })
})

const SHORTEST_QUIET = CACHE_MILLISECONDS + 1000
const DEFAULT_QUIET = 15_000

const quietOption = lazySchema(() =>
  durationOption()
    .refine((milliseconds) => milliseconds >= SHORTEST_QUIET, `must be at least ${SHORTEST_QUIET} milliseconds`)
    .default(DEFAULT_QUIET),
)

/** @internal */
export const backOptions = lazySchema((z) =>
  stepOptions().extend({
    to: z.enum(['expand', 'index', 'switch'], 'must be expand, index or switch').optional(),
    quiet: quietOption(),
  }),
)

/** @internal */
export const contractOptions = lazySchema((z) =>
  stepOptions().extend({
    confirm: z.literal(true, 'must be true: the old column and its vectors are dropped'),
    quiet: quietOption(),
  }),
)

/** @internal */
export type ParsedStepOptions = Parsed<typeof stepOptions>
/** @internal */
export type ParsedAdvanceOptions = Parsed<typeof advanceOptions>
