import { lazySchema, type Parsed } from '../core/parse-options.ts'
import { outputOptions, type Logger, type LogOptions } from '../core/options.ts'

/** What {@link addVectorColumn} and {@link dropVectorColumn} may be told. */
export interface ColumnOptions {
  /** Milliseconds that others may have to wait behind this, at most; default 1000. */
  readonly lockTimeout?: number | undefined
  /** Milliseconds to try in all to get the table; default 60000. */
  readonly wait?: number | undefined
  /** Where messages go; default the console. `false` silences them. */
  readonly logger?: Logger | false | undefined
  /** Where the migration log is kept; `false` writes none. */
  readonly log?: LogOptions | false | undefined
}

/** What became of a column. */
export interface ColumnResult {
  /** `kept`: an equal one was there, or it is not ours to drop. `absent`: there was nothing to drop. */
  readonly status: 'added' | 'dropped' | 'kept' | 'absent'
  readonly warnings: readonly string[]
}

export const columnOptions = lazySchema((z) =>
  outputOptions().extend({
    lockTimeout: z.int('must be whole milliseconds').min(1, 'must be at least 1').default(1000),
    wait: z.int('must be whole milliseconds').min(0, 'must not be negative').default(60_000),
  }),
)

export type ParsedColumnOptions = Parsed<typeof columnOptions>
