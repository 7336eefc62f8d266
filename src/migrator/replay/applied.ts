import { PgvectorMigrationError } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import type { RunOptions } from '../events.ts'
import type { MigrationFiles } from '../files/list.ts'
import { startRecording, textOf, type SentQuery } from '../../database/record-statements.ts'
import type { Replay } from './replay.ts'
import type { MigrationTables } from '../settings.ts'
import { record, type AppliedMigration } from '../tracking.ts'
import { redact } from '../../sql-text/redact.ts'

/** Reports that a migration begins on an embedded copy. */
export type OnReplay = (migration: string, index: number) => void

/** Passes it on as an event of one of `total` migrations. */
export function replayEvents(total: number, onEvent: RunOptions['onEvent']): OnReplay {
  return (migration, index) => onEvent?.({ type: 'replaying', migration, index, total })
}

/**
 * Brings an embedded copy to the state of its database: every applied migration, with its row in Knex's table. A
 * migration whose file may be missing gets only the row.
 *
 * @param isSkipped Whether a migration that failed gets only the row too.
 * @returns The names of these.
 */
export async function replayApplied(
  replay: Replay,
  tables: MigrationTables,
  files: MigrationFiles,
  applied: readonly AppliedMigration[],
  onReplay: OnReplay,
  isSkipped: (failure: PgvectorMigrationError<'PLAN_FAILED'>) => Promise<boolean> = () => Promise.resolve(false),
): Promise<string[]> {
  const known = new Set(files.names)
  const skipped: string[] = []
  for (const [index, { name, batch }] of applied.entries()) {
    onReplay(name, index)
    if (known.has(name) || !files.allowsMissing) {
      const migration = await files.load(name)
      const { failure } = await recorded(replay.session, name, true, () => replay.apply(migration))
      if (failure !== null) {
        if (!(await isSkipped(failure))) throw failure
        skipped.push(name)
      }
    }
    await record(replay.session, tables, { direction: 'up', name, batch }, 'true')
  }
  await replay.reset()
  return skipped
}

/** Records what a migration sends. If it fails, reports which migration and which statement failed. */
export async function recorded(
  session: Session,
  migration: string,
  isApplied: boolean,
  run: () => Promise<void>,
): Promise<{ readonly sent: readonly SentQuery[]; readonly failure: PgvectorMigrationError<'PLAN_FAILED'> | null }> {
  const recording = startRecording(session)
  try {
    await run()
    return { sent: recording.sent, failure: null }
  } catch (error) {
    const failed = recording.sent.find((query) => query.error === error)
    const details = { migration, statement: failed === undefined ? null : redact(textOf(failed)), isApplied }
    return { sent: recording.sent, failure: new PgvectorMigrationError('PLAN_FAILED', details, { cause: error }) }
  } finally {
    recording.stop()
  }
}
