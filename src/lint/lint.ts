import type { Session } from '../database/session.ts'
import { planAsFarAsItGoes } from '../migrator/plan/plan.ts'
import type { UpSelection } from '../migrator/select.ts'
import type { MigrationSettings } from '../migrator/settings.ts'
import { lintMigrations, type LintFacts, type LintResult } from './lint-migrations.ts'
import { loadParser } from './parser.ts'
import { readLintFacts } from './read-known-tables.ts'

/** Which of the pending migrations to judge, and the indexes that they are to make. */
export type LintOptions = UpSelection & Pick<LintFacts, 'declared'>

/**
 * Judges the SQL of the pending migrations, as `plan` shows it, by what the database has: which tables, with rows or
 * without, and which columns of vectors. It reads only.
 *
 * What does not even run on the embedded database is a finding where a rule says why, and else the plan's own error.
 *
 * @throws {PgvectorMigrationError} PARSER_NOT_INSTALLED, and whatever `plan` throws.
 */
export async function lint(
  session: Session,
  settings: MigrationSettings,
  options: LintOptions = {},
): Promise<LintResult> {
  const { declared, ...choice } = options
  // Before the plan, which takes seconds.
  await loadParser()
  const { migrations, notes, failure } = await planAsFarAsItGoes(session, settings, choice)
  const facts = migrations.length === 0 ? {} : await session.transaction(readLintFacts, { readOnly: true })
  const result = await lintMigrations(migrations, { ...facts, declared })
  if (failure === null) return { ...result, notes: [...result.notes, ...notes] }
  if (!result.findings.some(({ migration }) => migration === failure.details.migration)) throw failure
  return { ...result, notes: [...result.notes, ...notes, `${failure.message}. What comes after it was not looked at.`] }
}
