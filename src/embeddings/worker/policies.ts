import { isPgvectorMigrationError, PgvectorMigrationError } from '../../core/errors.ts'
import { serverMessage } from '../../database/server-message.ts'
import { failureText, pauseBefore } from './call-model.ts'
import type { FailedRow } from './embed-batch.ts'
import type { WorkPolicy } from './policy.ts'
import type { WorkReport } from './report.ts'
import type { Claim, WorkRow, WorkSource } from './work-source.ts'

/** What the policies decide with. */
export interface PolicyParts {
  readonly label: string
  readonly source: WorkSource
  readonly report: WorkReport
  readonly attempts: number
  readonly retryDelay: number
}

const LONGEST_PAUSE = 60_000
// A row that fails alone, while there is no other row to show that the model works, gets this many rounds.
const MOST_ROUNDS = 10

/** Returns the error that ends a backfill. Rows already backfilled keep their vectors. */
export function backfillFailure(
  { label, report }: Pick<PolicyParts, 'label' | 'report'>,
  problem: string,
  cause?: unknown,
): PgvectorMigrationError<'BACKFILL_FAILED'> {
  return new PgvectorMigrationError('BACKFILL_FAILED', { column: label, filled: report.filled(), problem }, { cause })
}

/** Returns an error of the database as the error that ends a backfill. */
export function asBackfillFailure(parts: Pick<PolicyParts, 'label' | 'report'>, error: unknown): unknown {
  const isExplained = isPgvectorMigrationError(error) && error.code !== 'CONNECTION_LOST'
  return isExplained ? error : backfillFailure(parts, serverMessage(error), error)
}

/** Rows that a worker cannot embed become dead letters. */
function givesUp({ source, report }: PolicyParts): Pick<WorkPolicy, 'onRefused' | 'onRefusedWrite'> & {
  readonly giveUp: (claim: Claim, failed: readonly FailedRow[]) => Promise<void>
} {
  const giveUp = async (claim: Claim, failed: readonly FailedRow[]): Promise<void> => {
    for (const each of failed) {
      await source.giveUp(claim, [each.row], each.error)
      report.failed(each)
    }
  }
  return {
    giveUp,
    onRefused: async (claim, { wrong, leftOut, poisoned }) => {
      const nulls = leftOut.map((row) => ({ row, error: 'embed returned null' }))
      await giveUp(claim, [...wrong, ...poisoned, ...nulls])
    },
    onRefusedWrite: (claim, row, error) => giveUp(claim, [{ row, error: serverMessage(error) }]),
  }
}

/** A worker that runs until it is stopped: it outlives the model and the database. */
export function endlessPolicy(
  parts: PolicyParts & {
    readonly poll: number
    /** Throws if nothing keeps the column in step any more. */
    readonly verify: () => Promise<void>
    readonly tidy: () => Promise<void>
  },
): WorkPolicy {
  const { label, source, report, retryDelay, attempts } = parts
  const { giveUp, ...rest } = givesUp(parts)
  let outages = 0
  let filledBefore = 0
  let tidiedAt = 0
  return {
    ...rest,
    bisects: true,
    lockPatience: LONGEST_PAUSE,
    idle: async () => {
      if (Date.now() - tidiedAt > TIDY_EVERY) {
        tidiedAt = Date.now()
        await parts.tidy()
      }
      return parts.poll
    },
    onFailedBatch: async (claim, rows, { error, isAlone }) => {
      const problem = failureText(error, attempts)
      if (isAlone) {
        const isOver = ({ rounds }: WorkRow): boolean => rounds + 1 >= MOST_ROUNDS
        await giveUp(
          claim,
          rows.filter(isOver).map((row) => ({ row, error: problem })),
        )
        for (const row of rows.filter((each) => !isOver(each))) {
          await source.postpone(claim, [row], pauseBefore(row.rounds + 2, retryDelay), problem)
        }
        return 0
      }
      await source.release(
        claim,
        rows.map(({ key }) => key),
      )
      if (report.filled() > filledBefore) outages = 0
      filledBefore = report.filled()
      const pause = pauseBefore(++outages + 1, retryDelay)
      report.warn(
        `${label}: ${problem}; it fails for every row, so the rows wait, and the next attempt is in ${pause} ms`,
      )
      return pause
    },
    onDatabaseError: async (error, failures) => {
      if (isPgvectorMigrationError(error) && error.code !== 'CONNECTION_LOST') throw error
      const pause = pauseBefore(failures + 1, 1000)
      report.warn(`${label}: ${serverMessage(error)}; the next attempt is in ${pause} ms`)
      try {
        await parts.verify()
      } catch (found) {
        if (isPgvectorMigrationError(found) && found.code !== 'CONNECTION_LOST') throw found
      }
      return pause
    },
  }
}

const TIDY_EVERY = 600_000

/** A worker that ends when there is nothing left to do. */
export function oncePolicy(parts: PolicyParts & { readonly lease: number }): WorkPolicy {
  const { source, report, attempts } = parts
  const { giveUp, ...rest } = givesUp(parts)
  return {
    ...rest,
    bisects: true,
    lockPatience: LOCK_PATIENCE,
    // A killed worker's claims can be taken when their lease is over.
    idle: async (idleFor) => (idleFor <= parts.lease + LOCK_PATIENCE && (await source.hasMore()) ? LOOK_EVERY : null),
    onFailedBatch: async (claim, rows, { error, isAlone }) => {
      const problem = failureText(error, attempts)
      if (!isAlone || report.filled() === 0) {
        // Otherwise the next run would wait for the lease.
        await source.release(
          claim,
          rows.map(({ key }) => key),
        )
        throw backfillFailure(parts, problem, error)
      }
      await giveUp(
        claim,
        rows.map((row) => ({ row, error: problem })),
      )
      return 0
    },
    onDatabaseError: async (error) => {
      throw asBackfillFailure(parts, error)
    },
  }
}

/** How long a worker that runs once waits for rows that other sessions have locked, in milliseconds. */
export const LOCK_PATIENCE = 3000
const LOOK_EVERY = 200
