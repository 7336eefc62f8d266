import type { VectorColumn } from '../../columns/column.ts'
import type { Model } from './call-model.ts'
import type { Limits } from './limits.ts'
import type { WorkPolicy } from './policy.ts'
import type { WorkReport } from './report.ts'
import type { Wake } from './wake.ts'
import type { WorkSource } from './work-source.ts'

/** Everything that a run of a worker needs. */
export interface Work {
  readonly source: WorkSource
  readonly column: VectorColumn
  readonly model: Model
  readonly limits: Limits
  readonly concurrency: number
  readonly policy: WorkPolicy
  readonly report: WorkReport
  /** Ends a pause early. */
  readonly wake: Wake
  /** Claims that are being worked on, whose leases are renewed. */
  readonly live: Set<string>
}
