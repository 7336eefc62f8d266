import type { Logger } from '../../core/options.ts'
import type { BuildLock } from './lock.ts'
import type { ParsedBuildOptions } from './options.ts'
import type { BuildReport } from './report.ts'
import type { HeldSession } from '../../database/held-session.ts'
import type { Watch } from './watch.ts'

/** What everything has at hand that takes part in one call of createVectorIndex. */
export interface BuildJob {
  readonly session: HeldSession
  readonly watch: Watch
  readonly lock: BuildLock
  readonly needs: ParsedBuildOptions
  readonly report: BuildReport
  readonly logger: Logger
  /** Whether something was sent that may stay where the build ends early. */
  readonly state: { hasBegun: boolean }
}
