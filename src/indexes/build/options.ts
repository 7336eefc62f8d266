import { lockTimeoutOption, waitOption, type Duration } from '../../core/durations.ts'
import { outputOptions, type Logger, type LogOptions } from '../../core/options.ts'
import { lazySchema, type Parsed } from '../../core/parse-options.ts'
import { bytesIn, sizeOption } from '../../core/sizes.ts'

/** An event of a running build. */
export type IndexBuildEvent =
  /** The build waits for other sessions. This does not block writes. */
  | {
      readonly type: 'waiting'
      readonly index: string
      /** The lock on the table, another session's build on it, or transactions that may still see the previous rows. */
      readonly for: 'lock' | 'build' | 'transactions'
      /** The backend PIDs that it waits for, as far as they are known. */
      readonly blockers: readonly number[]
    }
  | ({ readonly type: 'progress'; readonly index: string } & BuildProgress)
  | { readonly type: 'warning'; readonly index: string; readonly message: string }

/** The progress of a build. */
export interface BuildProgress {
  /** PostgreSQL's name of the phase, without `building index: `. */
  readonly phase: string
  /** The progress of this phase; null if unknown. */
  readonly percent: number | null
  readonly rowsPerSecond: number | null
  /** The remaining time of this phase, at its speed so far. */
  readonly secondsLeft: number | null
}

/** Options of {@link createVectorIndex}. */
export interface CreateIndexOptions {
  /**
   * The most memory that the build may use, in bytes or like '2GB'; default: the larger of maintenance_work_mem and
   * shared_buffers.
   */
  readonly maxMemory?: number | string | undefined
  /**
   * The maximum number of parallel workers, in addition to the process that builds. The default is the server's
   * max_parallel_maintenance_workers, limited so that all processes together do not exceed the processors. If other
   * sessions are active, one processor is left to them. These limits apply if the numbers are known.
   */
  readonly workers?: number | undefined
  /**
   * PostgreSQL's lock_timeout: the longest time that other sessions may wait behind one of these statements, in
   * milliseconds or like '500ms'; default 1000.
   */
  readonly lockTimeout?: Duration | undefined
  /** How long to wait for other sessions that use the table, in milliseconds or like '60s'; default 60000. */
  readonly wait?: Duration | undefined
  /** An ivfflat index on a table without rows: `refuse`, `postpone` or `build`; default `refuse`. */
  readonly whenEmpty?: 'refuse' | 'postpone' | 'build' | undefined
  /** Stops the build. */
  readonly signal?: AbortSignal | undefined
  /** Receives the events of the build. */
  readonly onEvent?: ((event: IndexBuildEvent) => void) | undefined
  /** Where messages go; default: the console. `false` silences them. */
  readonly logger?: Logger | false | undefined
  /** Where the migration log is; default the table `pgvector_migration_log`. `false` turns it off. */
  readonly log?: LogOptions | false | undefined
}

// PostgreSQL accepts less, but pgvector could then not store a single block of its graph.
const SMALLEST_MEMORY = bytesIn.MB

const MOST_WORKERS = 1024

/** The options that determine how an index is built. @internal */
export const limitOptions = lazySchema((z) => {
  const memory = sizeOption().refine((bytes) => bytes >= SMALLEST_MEMORY, 'must be at least 1MB')
  return z.strictObject({
    maxMemory: memory.optional(),
    workers: z.int('must be a whole number').min(0, 'must not be negative').max(MOST_WORKERS).optional(),
    whenEmpty: z.enum(['refuse', 'postpone', 'build'], 'must be refuse, postpone or build').default('refuse'),
  })
})

/** @internal */
export const buildOptions = lazySchema((z) =>
  outputOptions().extend({
    ...limitOptions().shape,
    lockTimeout: lockTimeoutOption(),
    wait: waitOption(),
    signal: z.instanceof(AbortSignal, { message: 'must be an AbortSignal' }).optional(),
    onEvent: z
      .custom<(event: IndexBuildEvent) => void>((value) => typeof value === 'function', 'must be a function')
      .optional(),
  }),
)

/** @internal */
export type ParsedBuildOptions = Parsed<typeof buildOptions>
