import { lazySchema, parseOptions } from '../core/parse-options.ts'
import { sessionOf, type Database, type Session } from '../database/session.ts'
import type { VectorIndex } from '../indexes/vector-index.ts'
import { withExplainedErrors } from '../migrator/explained-errors.ts'
import { planAsFarAsItGoes } from '../migrator/plan/plan.ts'
import type { UpSelection } from '../migrator/select.ts'
import { settingsOf, type MigrationSettings, type MigratorOptions } from '../migrator/settings.ts'
import { lintMigrations, type LintFacts, type LintResult } from './lint-migrations.ts'
import { loadParser } from './parser.ts'
import { readLintFacts } from './read-known-tables.ts'

/**
 * Which of the pending migrations to judge, the indexes that they are to make, and where the migrations are, where that
 * is not what the Knex configuration says.
 */
export type LintOptions = UpSelection & Pick<LintFacts, 'declared'> & MigratorOptions

const lintOptions = lazySchema((z) => {
  const version = z.string('must be the name of a migration, or its beginning').optional()
  const table = z.string('must be a name').optional()
  return z.strictObject({
    to: version,
    only: version,
    skip: z.array(z.string('must be the name of a migration, or its beginning'), 'must be a list').optional(),
    declared: z.array(z.custom<VectorIndex>(isObject, 'must be made by vectorIndex'), 'must be a list').optional(),
    tableName: table,
    schemaName: table,
    migrationSource: z.custom<MigratorOptions['migrationSource']>(isObject, 'must be a migration source').optional(),
  })
})

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

/**
 * Checks the SQL of the pending migrations, as `plan` shows it, against rules that know vectors and against what the
 * database has: which tables, with rows or without, and which columns of vectors. It only reads.
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
  const { declared, to, only, skip, ...given } = parseOptions(lintOptions, options)
  const session = sessionOf(db)
  const settings = settingsOf(
    session,
    Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  )
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
