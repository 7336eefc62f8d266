import type { Embedded } from './embed-batch.ts'
import type { Claim, WorkRow } from './work-source.ts'

/** What a worker does where a worker for ever and one that runs once differ. */
export interface WorkPolicy {
  /** How long to wait for rows that other sessions have locked before they are given back; milliseconds. */
  readonly lockPatience: number
  /** How long to wait when there is nothing to do now, in milliseconds; null to end. */
  readonly idle: (idleFor: number) => Promise<number | null>
  /** Decides what becomes of rows that got no vector. It may throw, which ends the work. */
  readonly onRefused: (claim: Claim, refused: Omit<Embedded, 'made'>) => Promise<void>
  /** Whether rows for which the model fails are looked for, so that the others get their vectors. */
  readonly bisects: boolean
  /**
   * Decides what becomes of a batch that failed as a whole, and returns how long to pause, in milliseconds. It may throw,
   * which ends the work.
   */
  readonly onFailedBatch: (
    claim: Claim,
    rows: readonly WorkRow[],
    failed: { readonly error: unknown; readonly isAlone: boolean },
  ) => Promise<number>
  /** The same for an error of the database. */
  readonly onDatabaseError: (error: unknown, failures: number) => Promise<number>
  /** Decides what becomes of a single row that the database refuses. It may throw, which ends the work. */
  readonly onRefusedWrite: (claim: Claim, row: WorkRow, error: unknown) => Promise<void>
}
