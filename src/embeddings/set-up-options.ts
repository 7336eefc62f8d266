import { columnOptions, dropColumnOptions, type AddColumnOptions } from '../columns/change-options.ts'
import { lazySchema, type Parsed } from '../core/parse-options.ts'

/** Options of {@link setUpInStep}. */
export interface SetUpInStepOptions extends AddColumnOptions {
  /**
   * Make the trigger send a NOTIFY, which a worker with `listen` waits for; default false. It slows down writes: polling
   * every second is enough for most applications.
   */
  readonly notify?: boolean | undefined
}

/** The result of {@link setUpInStep}. */
export interface SetUpInStepResult {
  /** `kept`: everything existed. */
  readonly status: 'set up' | 'kept'
  readonly warnings: readonly string[]
}

/** Options of {@link removeInStep}. */
export interface RemoveInStepOptions extends AddColumnOptions {
  /** Keep what this library's log does not show as created by it; default true. */
  readonly onlyOurs?: boolean | undefined
}

/** The result of {@link removeInStep}. */
export interface RemoveInStepResult {
  /** `kept`: this library did not create it. `absent`: there was nothing to remove. */
  readonly status: 'removed' | 'kept' | 'absent'
  readonly warnings: readonly string[]
}

/** @internal */
export const setUpOptions = lazySchema((z) =>
  columnOptions().extend({ notify: z.boolean('must be true or false').default(false) }),
)

/** @internal */
export const removeOptions = dropColumnOptions

/** @internal */
export type ParsedSetUpOptions = Parsed<typeof setUpOptions>
