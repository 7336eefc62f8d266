import { lockTimeoutOption, waitOption, type Duration } from '../../core/durations.ts'
import { outputOptions, type Logger, type LogOptions } from '../../core/options.ts'
import { lazySchema, type Parsed } from '../../core/parse-options.ts'
import { bytesIn, sizeOption } from '../../core/sizes.ts'

/** What a build tells while it runs. */
export type IndexBuildEvent =
  /** It does not go on before others have ended; writers are not held up by that. */
  | {
      readonly type: 'waiting'
      readonly index: string
      /** The table's lock, a build of somebody else on that table, or transactions that may still see the rows of before. */
      readonly for: 'lock' | 'build' | 'transactions'
      /** The server processes that are waited for, as far as they are known. */
      readonly blockers: readonly number[]
    }
  | ({ readonly type: 'progress'; readonly index: string } & BuildProgress)
  | { readonly type: 'warning'; readonly index: string; readonly message: string }

/** How far a build is. */
export interface BuildProgress {
  /** As PostgreSQL calls it, without `building index: `. */
  readonly phase: string
  /** Of this phase; null where nothing tells. */
  readonly percent: number | null
  readonly rowsPerSecond: number | null
  /** Of this phase, as it went so far. */
  readonly secondsLeft: number | null
}

/** Options of {@link createVectorIndex}. */
export interface CreateIndexOptions {
  /** The most memory the build may use, in bytes or like '2GB'; default the larger of maintenance_work_mem and shared_buffers. */
  readonly maxMemory?: number | string | undefined
  /**
   * The most processes that help the one that builds; default the server's max_parallel_maintenance_workers, and with
   * the one that builds not more than it has processors, less one where others are at work, where that is known.
   */
  readonly workers?: number | undefined
  /** PostgreSQL's lock_timeout: how long others may wait behind a statement of this, in milliseconds or like '500ms'; default 1000. */
  readonly lockTimeout?: Duration | undefined
  /** How long to wait for other sessions that use the table, in milliseconds or like '60s'; default 60000. */
  readonly wait?: Duration | undefined
  /** What to do about an ivfflat index on a table without rows; default refuse. */
  readonly whenEmpty?: 'refuse' | 'postpone' | 'build' | undefined
  /** Stops the build. */
  readonly signal?: AbortSignal | undefined
  /** Hears what happens while it builds. */
  readonly onEvent?: ((event: IndexBuildEvent) => void) | undefined
  /** Where messages go; default the console. `false` silences them. */
  readonly logger?: Logger | false | undefined
  /** Where the migration log is kept; `false` writes none. */
  readonly log?: LogOptions | false | undefined
}

// PostgreSQL accepts less, but pgvector cannot hold a single block of its graph then.
const SMALLEST_MEMORY = bytesIn.MB

const MOST_WORKERS = 1024

/** What decides how an index is built. */
export const limitOptions = lazySchema((z) => {
  const memory = sizeOption().refine((bytes) => bytes >= SMALLEST_MEMORY, 'must be at least 1MB')
  return z.strictObject({
    maxMemory: memory.optional(),
    workers: z.int('must be a whole number').min(0, 'must not be negative').max(MOST_WORKERS).optional(),
    whenEmpty: z.enum(['refuse', 'postpone', 'build'], 'must be refuse, postpone or build').default('refuse'),
  })
})

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

export type ParsedBuildOptions = Parsed<typeof buildOptions>
