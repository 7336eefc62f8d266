import type { Phase } from './phase.ts'

/** An event of a running change of model. */
export type ChangeEvent =
  /** A phase begins. */
  { readonly type: 'phase'; readonly phase: Phase } | ({ readonly type: 'embedding' } & EmbeddingProgress)

/** The progress of the backfill or of a drain. */
export interface EmbeddingProgress {
  /** Rows that received a vector of the new model in this run. */
  readonly written: number
  /** Rows that still need one; null if they were not counted. */
  readonly left: number | null
  readonly rowsPerSecond: number | null
  readonly secondsLeft: number | null
}
