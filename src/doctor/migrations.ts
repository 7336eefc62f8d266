import { isPgvectorMigrationError, PgvectorMigrationError } from '../core/errors.ts'
import { listMigrations, type MigrationFiles } from '../migrator/files/list.ts'
import { findRenamed, deleteStatement, renameStatements, stem } from '../migrator/files/renamed.ts'
import type { MigrationSettings } from '../migrator/settings.ts'
import { findingsOf, listed, type Finding } from './finding.ts'

const { ok, error: failure, unknown } = findingsOf('migrations')

/** The names of the migrations on disk, or why they cannot be listed. */
export type FileNames = Pick<MigrationFiles, 'names' | 'allowsMissing'> | { readonly problem: Finding }

/** Lists the migration files. A problem with the folder is a finding. */
export async function readFileNames(settings: MigrationSettings): Promise<FileNames> {
  try {
    const { names, allowsMissing } = await listMigrations(settings)
    return { names, allowsMissing }
  } catch (error) {
    if (isPgvectorMigrationError(error)) return { problem: failure(error.message, error.hint) }
    throw error
  }
}

/** The migrations in Knex's table; null if there is no such table yet, or the reason why it could not be read. */
export type Recorded = { readonly names: readonly string[] | null } | { readonly reason: string }

/** Compares the files with the records. `table` is the quoted name of Knex's table. */
export function migrationFindings(files: FileNames, recorded: Recorded, table: string): Finding[] {
  if ('problem' in files) return [files.problem]
  const doubles = doubleFindings(files.names)
  if ('reason' in recorded) return [...doubles, unknown(`what was applied could not be read: ${recorded.reason}`)]
  const { names: applied } = recorded
  if (applied === null) return [...doubles, untracked(files.names, table)]
  const missing = applied.filter((name) => !files.names.includes(name))
  const renamed = findRenamed(files.names, applied)
  const found = new Set([...renamed.once, ...renamed.twice].map(({ name }) => name))
  const lost = files.allowsMissing ? [] : missing.filter((name) => !found.has(name))
  const problems = [...doubles, ...renamedFindings(renamed, table), ...lostFindings(lost)]
  if (problems.length > 0) return problems
  const pending = pendingOf(files, recorded)
  return [
    ok(
      `${applied.length} applied, ${pending.length} pending${pending.length === 0 ? '' : `: ${listed(pending)}`}`,
      pending.length === 0 ? undefined : 'npx knex-pgvector up',
    ),
  ]
}

/** Returns the migrations that a run would apply, as far as that is known. */
export function pendingOf(files: FileNames, recorded: Recorded): readonly string[] {
  if ('problem' in files || 'reason' in recorded) return []
  const applied = new Set((recorded.names ?? []).map(stem))
  return files.names.filter((name) => !applied.has(stem(name)))
}

function untracked(names: readonly string[], table: string): Finding {
  return names.length === 0
    ? ok(`no migration is on disk, and ${table} does not exist yet`, 'npx knex-pgvector new NAME')
    : ok(`no migration is applied yet: the first run creates ${table}`, 'npx knex-pgvector up')
}

// If names include the extension, 001_x.ts and the 001_x.js that was built from it count as two migrations.
function doubleFindings(names: readonly string[]): Finding[] {
  const double = names.filter((name, index) => names.findIndex((each) => stem(each) === stem(name)) !== index)
  if (double.length === 0) return []
  return [
    failure(
      `two files have one name: ${listed(double.flatMap((name) => names.filter((each) => stem(each) === stem(name))))}`,
      'Keep one of them: a build belongs in a folder of its own.',
    ),
  ]
}

function renamedFindings({ once, twice }: ReturnType<typeof findRenamed>, table: string): Finding[] {
  const findings: Finding[] = []
  if (twice.length > 0) {
    findings.push(
      failure(
        `${table} has migrations twice: ${listed(twice.map(({ name, file }) => `${name} and ${file}`))}`,
        deleteStatement(twice, table),
      ),
    )
  }
  if (once.length > 0) {
    findings.push(
      failure(
        'applied under another file extension than on disk, which Knex calls corrupt: ' +
          listed(once.map(({ name, file }) => `${name} (now ${file})`)),
        renameStatements(once, table).join('\n'),
      ),
    )
  }
  return findings
}

function lostFindings(missing: readonly string[]): Finding[] {
  if (missing.length === 0) return []
  const { message, hint } = new PgvectorMigrationError('MIGRATION_FILES_MISSING', { missing })
  return [failure(message, hint)]
}
