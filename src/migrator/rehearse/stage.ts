import { isPgvectorMigrationError, PgvectorMigrationError } from '../../core/errors.ts'
import { DEFAULT_LOCK_TIMEOUT, type Duration } from '../../core/durations.ts'
import type { Deadlines } from '../../database/deadlines.ts'
import { readIsEmbedded } from '../../database/server-facts.ts'
import type { Session } from '../../database/session.ts'
import { positiveDurationKind } from '../../core/option-kinds.ts'
import { runKinds, type RunOptions } from '../events.ts'
import { interrupted } from '../run/interrupted.ts'
import { withOthersExcluded, type Exclusion, type ExclusionOptions } from './exclusion.ts'
import { putSequencesBack, readSequences, usedSequences, type UsedSequence } from './sequences.ts'
import type { MigrationSettings } from '../settings.ts'

/** Where migrations are rehearsed: a transaction that is always rolled back, while nobody else can migrate. */
export interface Stage {
  readonly trx: Session
  readonly others: Exclusion
  readonly lockTimeout: number
  readonly deadlines: Deadlines
}

/** How a stage is opened. */
export interface StageOptions extends RunOptions {
  /** PostgreSQL's lock_timeout: how long others may wait behind a statement of this, in milliseconds or like '500ms'; default 1000. */
  readonly lockTimeout?: Duration | undefined
}

/** What was found out on a stage, and what the rollback could not undo. */
export interface Staged<Result> {
  readonly result: Result
  readonly warnings: readonly string[]
}

export const stageKinds = { ...runKinds, lockTimeout: positiveDurationKind } as const satisfies Record<
  keyof StageOptions,
  unknown
>

/** The same once they are parsed. */
export type ParsedStageOptions = StageOptions & { readonly lockTimeout?: number | undefined }

/** Opens a stage, works on it, and takes everything back. */
export async function withRehearsalStage<Result>(
  session: Session,
  { tables, deadlines }: MigrationSettings,
  options: ParsedStageOptions & Pick<ExclusionOptions, 'command' | 'hasFailed'>,
  work: (stage: Stage) => Promise<Result>,
): Promise<Staged<Result>> {
  const { lockTimeout = DEFAULT_LOCK_TIMEOUT } = options
  const isSingle = await readIsEmbedded(session)
  return withOthersExcluded(session, tables, { ...options, deadlines, isSingle }, async (others) => {
    // It does not wait for locks.
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
      // Where the connection is lost, nothing more can be known.
      return { attempt: ended, used: await usedSince().catch((): UsedSequence[] => []) }
    })
    await assertRolledBack(others, transactionId, attempt)
    const warnings = await putSequencesBack(used, rolledBack).catch((error: unknown) => {
      // What failed first counts.
      throw 'error' in attempt ? attempt.error : error
    })
    if ('error' in attempt) throw attempt.error
    if (options.signal?.aborted === true) throw interrupted(null, options.signal)
    return { result: attempt.value, warnings }
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
  // Of a connection that is lost the server takes everything back by itself. A caller's transaction goes on.
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
