import { PgvectorMigrationError } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import type { Direction, RunOptions } from '../events.ts'
import { guarded } from '../run/guard.ts'
import { interrupted } from '../run/interrupted.ts'
import type { LoadedMigration } from '../files/list.ts'
import type { Stage } from './stage.ts'
import { recordStatements, type Recorder, type RehearsedStatement } from './statements.ts'
import { runOne } from '../run/one.ts'
import type { MigrationSettings } from '../settings.ts'
import { nextBatch } from '../tracking.ts'

/** The result of a migration in a rehearsal. */
export interface RehearsedMigration {
  readonly name: string
  readonly state: 'rehearsed' | 'not-rehearsed' | 'failed'
  /** Why it was not rehearsed: it opts out of transactions, or an earlier migration failed. */
  readonly reason?: 'no-transaction' | 'not-reached'
  readonly milliseconds: number
  readonly statements: readonly RehearsedStatement[]
  readonly error?: PgvectorMigrationError<'MIGRATION_FAILED'>
}

/** What to rehearse, and how. */
export interface Rehearsing extends Pick<RunOptions, 'signal' | 'onEvent'> {
  readonly migrations: readonly LoadedMigration[]
  readonly direction: Direction
  readonly withLocks: boolean
}

/**
 * Runs migrations on a stage, each in a savepoint, as a run would: with its hooks and with its record in Knex's table.
 *
 * Migrations that opt out of transactions are skipped, and the others are still tried. The first failure ends the
 * rehearsal.
 */
export async function rehearseMigrations(
  session: Session,
  stage: Stage,
  settings: MigrationSettings,
  work: Rehearsing,
): Promise<RehearsedMigration[]> {
  const { migrations, direction, signal, onEvent } = work
  const results: RehearsedMigration[] = []
  await settings.hooks.beforeAll(
    stage.trx.knex,
    migrations.map(({ file }) => file),
  )
  const recorder = await recordStatements(stage.trx, work.withLocks)
  try {
    for (const [index, migration] of migrations.entries()) {
      if (signal?.aborted === true) throw interrupted(null, signal)
      const { name } = migration
      const reason = reasonToLeaveOut(migration, results)
      if (reason !== undefined) {
        results.push({ name, state: 'not-rehearsed', reason, milliseconds: 0, statements: [] })
        continue
      }
      onEvent?.({ type: 'started', migration: name, direction, index, total: migrations.length })
      const result = await rehearseOne(session, stage, settings, recorder, work, index)
      results.push(result)
      assertStillOpen(stage, results)
      if (result.state === 'rehearsed')
        onEvent?.({ type: 'finished', migration: name, direction, milliseconds: result.milliseconds })
    }
  } finally {
    recorder.stop()
  }
  return results
}

// A migration that ended the transaction made itself permanent, together with those before it.
function assertStillOpen({ others }: Stage, results: readonly RehearsedMigration[]): void {
  const end = others.connection.earlyEnd()
  const last = results.at(-1)
  if (end === null || last === undefined) return
  const statements = results.flatMap((each) => each.statements.filter(({ error }) => error === undefined))
  const details = { migration: last.name, end, statements: statements.map(({ sql }) => sql) }
  throw new PgvectorMigrationError('REHEARSAL_COMMITTED', details, { cause: last.error?.cause })
}

function reasonToLeaveOut(
  { transactional }: LoadedMigration,
  results: readonly RehearsedMigration[],
): RehearsedMigration['reason'] {
  if (results.some(({ state }) => state === 'failed')) return 'not-reached'
  return transactional ? undefined : 'no-transaction'
}

async function rehearseOne(
  session: Session,
  stage: Stage,
  settings: MigrationSettings,
  recorder: Recorder,
  { migrations, direction, signal }: Rehearsing,
  index: number,
): Promise<RehearsedMigration> {
  const migration = migrations[index] as LoadedMigration
  const { name } = migration
  let statements: readonly RehearsedStatement[] = []
  const started = performance.now() - recorder.overhead()
  const milliseconds = (): number => performance.now() - recorder.overhead() - started
  const { connection, lost, isHeld } = stage.others
  const rehearse = (): Promise<void> =>
    stage.trx.transaction(async (savepoint) => {
      // The previous migration may have set its own. In a run, that would have ended with its transaction.
      await savepoint.send(`set local lock_timeout = ${stage.lockTimeout}`)
      const batch = direction === 'up' ? await nextBatch(savepoint, settings.tables) : 0
      statements = recorder.begin(name)
      await runOne(savepoint, settings, { migration, direction, batch, isLockHeld: isHeld })
      recorder.end()
      await checkDeferredConstraints(savepoint)
    })
  try {
    const watched = { connection, lost, signal, deadlines: stage.deadlines, migration: name, transactional: true }
    await guarded(session, watched, rehearse)
    return { name, state: 'rehearsed', milliseconds: milliseconds(), statements }
  } catch (error) {
    // Nothing counts as done in a rehearsal, because earlier migrations are rolled back too.
    const standing = { done: [], left: migrations.slice(index + 1).map((each) => each.name) }
    if (signal?.aborted === true) throw interrupted(name, signal, error, standing)
    const details = { migration: name, direction, transactional: true, ...standing }
    return {
      name,
      state: 'failed',
      milliseconds: milliseconds(),
      statements,
      error: new PgvectorMigrationError('MIGRATION_FAILED', details, { cause: error }),
    }
  } finally {
    recorder.end()
  }
}

/**
 * Checks what the commit of a run would check, and restores the constraints to the state that a new transaction finds.
 */
async function checkDeferredConstraints(trx: Session): Promise<void> {
  await trx.send(`do $$
    declare
      names pg_catalog.text;
    begin
      set constraints all immediate;
      select pg_catalog.string_agg(distinct pg_catalog.format('%I.%I', n.nspname, c.conname), ', ') into names
      from pg_catalog.pg_constraint c
      join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.connamespace
      where c.condeferred;
      if names is not null then
        execute pg_catalog.concat('set constraints ', names, ' deferred');
      end if;
    end $$`)
}
