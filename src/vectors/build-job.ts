import type { Logger } from '../options.ts'
import type { BuildLock } from './build-lock.ts'
import type { ParsedBuildOptions } from './build-options.ts'
import type { BuildReport } from './build-report.ts'
import type { BuildingSession } from './building-session.ts'
import type { Watch } from './watch-build.ts'

/** What everything has at hand that takes part in one call of buildIndex. */
export interface BuildJob {
  readonly session: BuildingSession
  readonly watch: Watch
  readonly lock: BuildLock
  readonly needs: ParsedBuildOptions
  readonly report: BuildReport
  readonly logger: Logger
}
