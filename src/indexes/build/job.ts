import type { Logger } from '../../core/options.ts'
import type { BuildLock } from './lock.ts'
import type { ParsedBuildOptions } from './options.ts'
import type { BuildReport } from './report.ts'
import type { HeldSession } from '../../database/held-session.ts'
import type { Watch } from './watch.ts'

/** The state that one call of createVectorIndex shares. */
export interface BuildJob {
  readonly session: HeldSession
  readonly watch: Watch
  readonly lock: BuildLock
  readonly needs: ParsedBuildOptions
  readonly report: BuildReport
  readonly logger: Logger
  /** Further details of the index for the log. */
  readonly about: Readonly<Record<string, unknown>>
  /** Whether something was sent that may remain if the build ends early. */
  readonly state: { hasBegun: boolean }
}
