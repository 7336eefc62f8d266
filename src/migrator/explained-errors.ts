import { isPgvectorMigrationError } from '../core/errors.ts'
import type { Session } from '../database/session.ts'
import { explainMissing } from './files/renamed.ts'
import { explainRefusal, type Need } from './refusal.ts'
import type { MigrationSettings } from './settings.ts'
import { explainUnknownType } from './unknown-type.ts'

/** Runs work on the tables of a run, and explains an error of the database or a missing file. */
export async function withExplainedErrors<Result>(
  session: Session,
  settings: MigrationSettings,
  need: Need,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (isPgvectorMigrationError(error, 'MIGRATION_FILES_MISSING')) throw await explainMissing(session, settings, error)
    const explained = await explainRefusal(session, settings, need, error)
    const isFailure = isPgvectorMigrationError(explained, 'MIGRATION_FAILED')
    throw isFailure ? await explainUnknownType(session, explained) : explained
  }
}
