import { lockTimeoutOption, waitOption, type Duration } from '../core/durations.ts'
import { lazySchema, type Parsed } from '../core/parse-options.ts'
import { onlyOursOption, outputOptions, type Logger, type LogOptions } from '../core/options.ts'

/** Options of {@link addVectorColumn}. */
export interface AddColumnOptions {
  /** PostgreSQL's lock_timeout: how long others may wait behind a statement of this, in milliseconds or like '500ms'; default 1000. */
  readonly lockTimeout?: Duration | undefined
  /** How long to wait for other sessions that use the table, in milliseconds or like '60s'; default 60000. */
  readonly wait?: Duration | undefined
  /** Where messages go; default the console. `false` silences them. */
  readonly logger?: Logger | false | undefined
  /** Where the migration log is kept; `false` writes none. */
  readonly log?: LogOptions | false | undefined
}

/** What {@link addVectorColumn} did. */
export interface AddColumnResult {
  /** `kept`: an equal one was there. */
  readonly status: 'added' | 'kept'
  readonly warnings: readonly string[]
}

/** Options of {@link dropVectorColumn}. */
export interface DropColumnOptions extends AddColumnOptions {
  /** Leave a column that this library did not add, as far as its log shows; default true. */
  readonly onlyOurs?: boolean | undefined
}

/** What {@link dropVectorColumn} did. */
export interface DropColumnResult {
  /** `kept`: it is not ours to drop. `absent`: there was nothing to drop. */
  readonly status: 'dropped' | 'kept' | 'absent'
  readonly warnings: readonly string[]
}

export const columnOptions = lazySchema(() =>
  outputOptions().extend({
    lockTimeout: lockTimeoutOption(),
    wait: waitOption(),
  }),
)

export const dropColumnOptions = lazySchema(() => columnOptions().extend({ onlyOurs: onlyOursOption() }))

export type ParsedColumnOptions = Parsed<typeof columnOptions>
