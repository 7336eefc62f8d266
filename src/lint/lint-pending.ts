import { optionsParser } from '../core/option-kinds.ts'
import { sessionOf, type Database, type Session } from '../database/session.ts'
import { withExplainedErrors } from '../migrator/explained-errors.ts'
import { planAsFarAsItGoes } from '../migrator/plan/plan.ts'
import { upKinds, type UpSelection } from '../migrator/select.ts'
import { migratorKinds, settingsOf, type MigrationSettings, type MigratorOptions } from '../migrator/settings.ts'
import { declaredKind, lintMigrations, type LintFacts, type LintResult } from './lint-migrations.ts'
import { loadParser } from './parser.ts'
import { readLintFacts } from './read-known-tables.ts'

/**
 * Which of the pending migrations to judge, the indexes that they are to make, and where the migrations are, where that
 * is not what the Knex configuration says.
 */
export type LintOptions = UpSelection & Pick<LintFacts, 'declared'> & MigratorOptions

const parseLintOptions = optionsParser({ ...upKinds, ...migratorKinds, declared: declaredKind })

/**
 * Checks the SQL of the pending migrations, as `plan` shows it, against rules that know vectors and against what the
 * database has: which tables, with rows or without, and which columns of vectors. It only reads; in a transaction it sees
 * what that has not committed.
 *
 * A migration that fails on the embedded database is a finding where a rule explains why; otherwise the error of `plan`
 * is thrown.
 *
 * @example
 * const { findings } = await lint(knex, { declared: [documentsIndex] })
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, UNSUPPORTED_DATABASE, PARSER_NOT_INSTALLED, and whatever `plan` throws.
 */
export async function lint(db: Database, options: LintOptions = {}): Promise<LintResult> {
  const { declared, to, only, skip, ...given } = parseLintOptions(options)
  const session = sessionOf(db)
  const settings = settingsOf(session, given)
  return withExplainedErrors(session, settings, 'read', () =>
    lintPending(session, settings, { to, only, skip }, declared),
  )
}

async function lintPending(
  session: Session,
  settings: MigrationSettings,
  selection: UpSelection,
  declared: LintFacts['declared'],
): Promise<LintResult> {
  // Before the plan, which takes seconds.
  await loadParser()
  const { migrations, notes, failure } = await planAsFarAsItGoes(session, settings, selection)
  const facts = migrations.length === 0 ? {} : await session.transaction(readLintFacts, { readOnly: true })
  const result = await lintMigrations(migrations, { ...facts, declared })
  if (failure === null) return { ...result, notes: [...result.notes, ...notes] }
  if (!result.findings.some(({ migration }) => migration === failure.details.migration)) throw failure
  return { ...result, notes: [...result.notes, ...notes, `${failure.message}. What comes after it was not looked at.`] }
}
