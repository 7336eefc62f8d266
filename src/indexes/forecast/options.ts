import { positiveDurationOption, type Duration } from '../../core/durations.ts'
import { lazySchema } from '../../core/parse-options.ts'
import { limitOptions } from '../build/options.ts'
import type { PlanIndexOptions } from '../decide/plan.ts'

/** Options of {@link forecastBuild}: those that determine how an index is built, and those of the pilot. */
export interface ForecastOptions extends Pick<PlanIndexOptions, 'maxMemory' | 'workers'> {
  /**
   * Whether to build the index on a sample in a temporary table, which is rolled back, to forecast the time; `auto` where
   * that is possible and the table is large enough. Default `auto`.
   */
  readonly pilot?: 'auto' | false | undefined
  /** The most time for the pilot, in milliseconds or like '3s'; default 3000. */
  readonly maxPilotTime?: Duration | undefined
}

/** @internal */
export const forecastOptions = lazySchema((z) =>
  z.strictObject({
    ...limitOptions().omit({ whenEmpty: true }).shape,
    pilot: z.union([z.literal('auto'), z.literal(false)], 'must be auto or false').default('auto'),
    maxPilotTime: positiveDurationOption().default(3000),
  }),
)
