import type { Session } from '../database/session.ts'
import type { ParsedBackfillOptions } from './options.ts'
import type { BackfillReport } from './report.ts'
import type { BackfillTarget } from './target.ts'

/** What the parts of a backfill share. */
export interface BackfillJob {
  readonly db: Session
  readonly target: BackfillTarget
  readonly needs: ParsedBackfillOptions
  readonly report: BackfillReport
  /** Comes when the caller stops it, and when one of several calls has failed. */
  readonly signal: AbortSignal
  /** Keys of the rows that `embed` returned null for. */
  readonly leftOut: Set<string>
}
