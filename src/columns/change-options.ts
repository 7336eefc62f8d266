import { durationOption, positiveDurationOption, type Duration } from '../core/durations.ts'
import { lazySchema, type Parsed } from '../core/parse-options.ts'
import { outputOptions, type Logger, type LogOptions } from '../core/options.ts'

/** What {@link addVectorColumn} and {@link dropVectorColumn} may be told. */
export interface ColumnOptions {
  /** How long others may have to wait behind this, at most, in milliseconds or like '500ms'; default 1000. */
  readonly lockTimeout?: Duration | undefined
  /** How long to try in all to get the table, in milliseconds or like '60s'; default 60000. */
  readonly wait?: Duration | undefined
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

export const columnOptions = lazySchema(() =>
  outputOptions().extend({
    lockTimeout: positiveDurationOption().default(1000),
    wait: durationOption().default(60_000),
  }),
)

export type ParsedColumnOptions = Parsed<typeof columnOptions>
