import { PgvectorMigrationError } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import type { MigrationFiles } from '../files/list.ts'
import { startRecording, textOf, type SentQuery } from '../../database/record-statements.ts'
import type { Replay } from './replay.ts'
import type { MigrationTables } from '../settings.ts'
import { record, type AppliedMigration } from '../tracking.ts'
import { redact } from '../../sql-text/redact.ts'

/**
 * Brings an embedded copy to where its database stands: every applied migration, with its line in Knex's table. Of one
 * whose file may be gone there is the line alone.
 */
export async function replayApplied(
  replay: Replay,
  tables: MigrationTables,
  files: MigrationFiles,
  applied: readonly AppliedMigration[],
): Promise<void> {
  const known = new Set(files.names)
  for (const { name, batch } of applied) {
    if (known.has(name) || !files.allowsMissing) {
      const migration = await files.load(name)
      const { failure } = await recorded(replay.session, name, true, () => replay.apply(migration))
      if (failure !== null) throw failure
    }
    await record(replay.session, tables, { direction: 'up', name, batch }, 'true')
  }
  await replay.reset()
}

/** Records what a migration sends; where it fails, says which one did and in which statement. */
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
