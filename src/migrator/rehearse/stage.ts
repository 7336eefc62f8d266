import { isPgvectorMigrationError, PgvectorMigrationError } from '../../core/errors.ts'
import { DEFAULT_LOCK_TIMEOUT, type Duration } from '../../core/durations.ts'
import type { Deadlines } from '../../database/deadlines.ts'
import { readIsEmbedded } from '../../database/server-facts.ts'
import type { Session } from '../../database/session.ts'
import { positiveDurationKind } from '../../core/option-kinds.ts'
import { runKinds, type RunOptions } from '../events.ts'
import { interrupted } from '../run/interrupted.ts'
import { withOthersExcluded, type Exclusion, type ExclusionOptions } from './exclusion.ts'
import { restoreSequences, readSequences, usedSequences, type UsedSequence } from './sequences.ts'
import type { MigrationSettings } from '../settings.ts'

/** Where migrations are rehearsed: a transaction that is always rolled back, while no other process can migrate. */
export interface Stage {
  readonly trx: Session
  readonly others: Exclusion
  readonly lockTimeout: number
  readonly deadlines: Deadlines
}

/** How to open a stage. */
export interface StageOptions extends RunOptions {
  /**
   * PostgreSQL's lock_timeout: the longest time that other sessions may wait behind one of these statements, in
   * milliseconds or like '500ms'; default 1000.
   */
  readonly lockTimeout?: Duration | undefined
}

/** The result of the work on a stage, and what the rollback could not reverse. */
export interface Staged<Result> {
  readonly result: Result
  readonly warnings: readonly string[]
}

/** @internal */
export const stageKinds = { ...runKinds, lockTimeout: positiveDurationKind } as const satisfies Record<
  keyof StageOptions,
  unknown
>

/** The same options after parsing. */
export type ParsedStageOptions = StageOptions & { readonly lockTimeout?: number | undefined }

/** Opens a stage, runs work on it, and rolls everything back. */
export async function withRehearsalStage<Result>(
  session: Session,
  { tables, deadlines, place }: MigrationSettings,
  options: ParsedStageOptions & Pick<ExclusionOptions, 'command' | 'hasFailed'>,
  work: (stage: Stage) => Promise<Result>,
): Promise<Staged<Result>> {
  const { lockTimeout = DEFAULT_LOCK_TIMEOUT } = options
  const isSingle = await readIsEmbedded(session)
  return withOthersExcluded(session, tables, { ...options, deadlines, isSingle, place }, async (others) => {
    // This statement does not wait for locks.
    const begin = [`set local lock_timeout = ${lockTimeout}`]
    const rolledBack = <Value>(run: (trx: Session) => Promise<Value>): Promise<Value> =>
      others.connection.transaction(run, { begin, rollBack: true })
    const before = await rolledBack(readSequences)
    let transactionId = ''
    const { attempt, used } = await rolledBack(async (trx) => {
      transactionId = await trx.ask<string>('select pg_current_xact_id()::text as state')
      await others.enter(trx)
      const usedSince = await usedSequences(trx, before)
      const ended = await outcomeOf(work({ trx, others, lockTimeout, deadlines }))
      // If the connection is lost, nothing more can be determined.
      return { attempt: ended, used: await usedSince().catch((): UsedSequence[] => []) }
    })
    await assertRolledBack(others, transactionId, attempt)
    const warnings = await restoreSequences(used, rolledBack).catch((error: unknown) => {
      // The first error counts.
      throw 'error' in attempt ? attempt.error : error
    })
    if ('error' in attempt) throw attempt.error
    if (options.signal?.aborted === true) throw interrupted(null, options.signal)
    return { result: attempt.value, warnings: [...others.warnings, ...warnings] }
  })
}

/** Compares the transaction that a rehearsal began with the one that it ended. */
async function assertRolledBack(
  { connection, lost }: Exclusion,
  transactionId: string,
  attempt: object,
): Promise<void> {
  const cause = 'error' in attempt ? attempt.error : undefined
  if (isPgvectorMigrationError(cause, 'REHEARSAL_COMMITTED')) throw cause
  const { session } = connection
  // If the connection is lost, the server itself rolls everything back. A caller's transaction continues.
  const status =
    lost.aborted || session.isInTransaction
      ? null
      : await session.ask<string>(`select pg_xact_status('${transactionId}') as state`).catch((error: unknown) => {
          throw cause ?? error
        })
  const end = connection.earlyEnd() ?? (status === null || status === 'aborted' ? null : 'committed')
  if (end === null) return
  throw new PgvectorMigrationError('REHEARSAL_COMMITTED', { migration: null, end, statements: [] }, { cause })
}

async function outcomeOf<Value>(
  work: Promise<Value>,
): Promise<{ readonly value: Value } | { readonly error: unknown }> {
  return work.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
}
