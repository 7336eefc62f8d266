import { lockTimeoutOption, waitOption, type Duration } from '../core/durations.ts'
import { lazySchema, type Parsed } from '../core/parse-options.ts'
import { onlyOursOption, outputOptions, type Logger, type LogOptions } from '../core/options.ts'

/** Options of {@link addVectorColumn}. */
export interface AddColumnOptions {
  /**
   * PostgreSQL's lock_timeout: the longest time that other sessions may wait behind one of these statements, in
   * milliseconds or like '500ms'; default 1000.
   */
  readonly lockTimeout?: Duration | undefined
  /** How long to wait for other sessions that use the table, in milliseconds or like '60s'; default 60000. */
  readonly wait?: Duration | undefined
  /** Where messages go; default: the console. `false` silences them. */
  readonly logger?: Logger | false | undefined
  /** Where the migration log is kept; `false` writes none. */
  readonly log?: LogOptions | false | undefined
}

/** The result of {@link addVectorColumn}. */
export interface AddColumnResult {
  /** `kept`: an equal column existed. */
  readonly status: 'added' | 'kept'
  readonly warnings: readonly string[]
}

/** Options of {@link dropVectorColumn}. */
export interface DropColumnOptions extends AddColumnOptions {
  /** Keep a column that this library's log does not show as added by it; default true. */
  readonly onlyOurs?: boolean | undefined
}

/** The result of {@link dropVectorColumn}. */
export interface DropColumnResult {
  /** `kept`: this library did not add the column. `absent`: there was nothing to drop. */
  readonly status: 'dropped' | 'kept' | 'absent'
  readonly warnings: readonly string[]
}

/** @internal */
export const columnOptions = lazySchema(() =>
  outputOptions().extend({
    lockTimeout: lockTimeoutOption(),
    wait: waitOption(),
  }),
)

/** @internal */
export const dropColumnOptions = lazySchema(() => columnOptions().extend({ onlyOurs: onlyOursOption() }))

/** @internal */
export type ParsedColumnOptions = Parsed<typeof columnOptions>
