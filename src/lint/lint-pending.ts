import { optionsParser } from '../core/option-kinds.ts'
import { sessionOf, type Database, type Session } from '../database/session.ts'
import { withExplainedErrors } from '../migrator/explained-errors.ts'
import { runKinds } from '../migrator/events.ts'
import { planAsFarAsItGoes, type PlanOptions } from '../migrator/plan/plan.ts'
import { upKinds } from '../migrator/select.ts'
import { migratorKinds, settingsOf, type MigrationSettings, type MigratorOptions } from '../migrator/settings.ts'
import { declaredKind, lintMigrations, type LintFacts, type LintResult } from './lint-migrations.ts'
import { loadParser } from './parser.ts'
import { withPlaces } from './places.ts'
import { readLintFacts } from './read-known-tables.ts'

/**
 * Which of the pending migrations to check, the indexes that they should create, and where the migrations are, if that
 * differs from the Knex configuration.
 */
export type LintOptions = Omit<PlanOptions, 'forecast'> & Pick<LintFacts, 'declared'> & MigratorOptions

const parseLintOptions = optionsParser({
  ...upKinds,
  ...migratorKinds,
  declared: declaredKind,
  onEvent: runKinds.onEvent,
})

/**
 * Checks the SQL of the pending migrations, as `plan` shows it, against rules for vectors and the state of the
 * database: its tables, whether they have rows, and their vector columns. It only reads. In a transaction it also sees
 * uncommitted changes.
 *
 * If a migration fails on the embedded database and a rule explains why, that is a finding. Otherwise the error of
 * `plan` is thrown.
 *
 * @example
 * const { findings } = await lint(knex, { declared: [documentsIndex] })
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, UNSUPPORTED_DATABASE, PARSER_NOT_INSTALLED, and the errors of `plan`.
 */
export async function lint(db: Database, options: LintOptions = {}): Promise<LintResult> {
  const { declared, to, only, skip, onEvent, ...given } = parseLintOptions(options)
  const session = sessionOf(db)
  const settings = settingsOf(session, given)
  return withExplainedErrors(session, settings, 'read', () =>
    lintPending(session, settings, { to, only, skip, onEvent }, declared),
  )
}

async function lintPending(
  session: Session,
  settings: MigrationSettings,
  options: PlanOptions,
  declared: LintFacts['declared'],
): Promise<LintResult> {
  // Runs before the plan, which takes seconds.
  await loadParser()
  const { migrations, sources, notes, failure } = await planAsFarAsItGoes(session, settings, options)
  const facts = migrations.length === 0 ? {} : await session.transaction(readLintFacts, { readOnly: true })
  const result = await lintMigrations(withPlaces(migrations, sources), { ...facts, declared })
  if (failure === null) return { ...result, notes: [...result.notes, ...notes] }
  if (!result.findings.some(({ migration }) => migration === failure.details.migration)) throw failure
  return { ...result, notes: [...result.notes, ...notes, `${failure.message}. What comes after it was not looked at.`] }
}
