import { positiveDurationOption, type Duration } from '../../core/durations.ts'
import { readIsEmbedded } from '../../database/server-facts.ts'
import type { Session } from '../../database/session.ts'
import { lazySchema, parseOptions } from '../../core/parse-options.ts'
import type { RunOptions } from '../events.ts'
import { interrupted } from '../run/interrupted.ts'
import { excludeOthers, type Exclusion } from './exclusion.ts'
import { putSequencesBack, readSequences, usedSequences, type UsedSequence } from './sequences.ts'
import type { MigrationTables } from '../settings.ts'

/** Where migrations are rehearsed: a transaction that is always rolled back, while nobody else can migrate. */
export interface Stage {
  readonly trx: Session
  readonly others: Exclusion
  readonly lockTimeout: number
}

/** How a stage is opened. */
export interface StageOptions extends RunOptions {
  /** How long a statement may wait for a lock, and others behind it, in milliseconds or like '1s'; default 1000. */
  readonly lockTimeout?: Duration | undefined
}

/** What was found out on a stage, and what the rollback could not undo. */
export interface Staged<Result> {
  readonly result: Result
  readonly warnings: readonly string[]
}

const timeouts = lazySchema((z) => z.strictObject({ lockTimeout: positiveDurationOption().default(1000) }))

/** Opens a stage, works on it, and takes everything back. */
export async function withRehearsalStage<Result>(
  session: Session,
  tables: MigrationTables,
  options: StageOptions & { readonly command: string },
  work: (stage: Stage) => Promise<Result>,
): Promise<Staged<Result>> {
  const { lockTimeout } = parseOptions(timeouts, { lockTimeout: options.lockTimeout })
  const isSingle = await readIsEmbedded(session)
  const others = await excludeOthers(session, tables, { ...options, isSingle })
  let outcome = 'failed'
  try {
    const before = await rolledBack(session, lockTimeout, readSequences)
    const { attempt, used } = await rolledBack(session, lockTimeout, async (trx) => {
      await others.enter(trx)
      const usedSince = await usedSequences(trx, before)
      const ended = await outcomeOf(work({ trx, others, lockTimeout }))
      // Where the connection is lost, nothing more can be known.
      return { attempt: ended, used: await usedSince().catch((): UsedSequence[] => []) }
    })
    const warnings = await putSequencesBack(used, (run) => rolledBack(session, lockTimeout, run))
    if ('error' in attempt) throw attempt.error
    if (options.signal?.aborted === true) throw interrupted(null, options.signal)
    outcome = 'succeeded'
    return { result: attempt.value, warnings }
  } finally {
    await others.release(outcome)
  }
}

/** Runs in a transaction that does not wait for locks, and rolls it back. */
async function rolledBack<Result>(
  session: Session,
  lockTimeout: number,
  run: (trx: Session) => Promise<Result>,
): Promise<Result> {
  return session.transaction(
    async (trx) => {
      await trx.send(`set local lock_timeout = ${lockTimeout}`)
      return run(trx)
    },
    { rollBack: true },
  )
}

async function outcomeOf<Value>(
  work: Promise<Value>,
): Promise<{ readonly value: Value } | { readonly error: unknown }> {
  return work.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
}
