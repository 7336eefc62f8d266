import type { Session } from '../database/session.ts'
import type { ParsedBackfillOptions } from './options.ts'
import type { BackfillReport } from './report.ts'
import type { VectorTarget } from '../embeddings/target.ts'

/** The state that the parts of a backfill share. */
export interface BackfillJob {
  readonly db: Session
  readonly target: VectorTarget
  readonly needs: ParsedBackfillOptions
  readonly report: BackfillReport
  /** Aborts when the caller stops the backfill, and when one of several concurrent calls has failed. */
  readonly signal: AbortSignal
  /** The keys of the rows for which `embed` returned null. */
  readonly leftOut: Set<string>
}
