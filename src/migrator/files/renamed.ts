import { PgvectorMigrationError } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import { literal } from '../../core/sql.ts'
import { listMigrations } from './list.ts'
import type { MigrationSettings } from '../settings.ts'
import { readApplied } from '../tracking.ts'

/** A migration that was applied with a file extension other than the one on disk, which Knex calls corrupt. */
export interface Renamed {
  /** The name in Knex's table. */
  readonly name: string
  /** The name on disk. */
  readonly file: string
}

/**
 * Returns the applied migrations that have another extension on disk: in `once`, or in `twice` if the table lists both.
 */
export function findRenamed(
  files: readonly string[],
  applied: readonly string[],
): { readonly once: readonly Renamed[]; readonly twice: readonly Renamed[] } {
  const renamed = applied
    .filter((name) => !files.includes(name))
    .flatMap((name) => {
      const file = files.find((each) => stem(each) === stem(name))
      return file === undefined ? [] : [{ name, file }]
    })
  return {
    once: renamed.filter(({ file }) => !applied.includes(file)),
    twice: renamed.filter(({ file }) => applied.includes(file)),
  }
}

/** Returns the statements that rename the migrations in Knex's table to their names on disk. */
export function renameStatements(renamed: readonly Renamed[], table: string): string[] {
  return [...new Set(renamed.map(({ file }) => extensionOf(file)))].map((extension) => {
    const names = renamed.filter(({ file }) => extensionOf(file) === extension).map(({ name }) => literal(name))
    return `UPDATE ${table} SET name = regexp_replace(name, '([.][cm]?[jt]s)?$', ${literal(extension)}) WHERE name IN (${names.join(', ')});`
  })
}

/** Returns the statement that deletes the duplicate records of migrations. */
export function deleteStatement(twice: readonly Renamed[], table: string): string {
  return `DELETE FROM ${table} WHERE name IN (${twice.map(({ name }) => literal(name)).join(', ')});`
}

/** Explains which missing files exist under another extension, and what to do about them. */
export async function explainMissing(
  session: Session,
  settings: MigrationSettings,
  error: PgvectorMigrationError<'MIGRATION_FILES_MISSING'>,
): Promise<PgvectorMigrationError> {
  const [{ names }, applied] = await Promise.all([listMigrations(settings), readApplied(session, settings.tables)])
  const { once, twice } = findRenamed(
    names,
    applied.map(({ name }) => name),
  )
  const known = new Set([...once, ...twice].map(({ name }) => name))
  if (known.size === 0) return error
  const lost = error.details.missing.filter((name) => !known.has(name))
  const { migrations: table } = settings.tables
  const hints = [
    ...(once.length === 0
      ? []
      : [`${originOf(once)} Else rename them in Knex's table: ${renameStatements(once, table).join(' ')}`]),
    ...(twice.length === 0 ? [] : [`The table has some twice: ${deleteStatement(twice, table)}`]),
    ...(lost.length === 0 ? [] : [`${lost.join(', ')}: no file exists under any extension. ${error.hint}`]),
  ]
  return new PgvectorMigrationError('MIGRATION_FILES_MISSING', error.details, { hint: hints.join(' ') })
}

// Whether the files or the table are right depends on how the others who migrate this database are configured.
function originOf(renamed: readonly Renamed[]): string {
  if (renamed.every(({ name }) => extensionOf(name) === '')) {
    return 'They were applied with migrationSource, without file extensions: give this Knex configuration the same one.'
  }
  if (renamed.every(({ file }) => extensionOf(file) === '')) {
    return 'They were applied without migrationSource, with file extensions: use { keepExtensions: true } to keep them.'
  }
  return 'They were applied with another file extension, as before a build: with migrationSource, both have one name.'
}

function extensionOf(name: string): string {
  return /\.[cm]?[jt]s$/.exec(name)?.[0] ?? ''
}

/** Returns the name without its extension. */
export function stem(name: string): string {
  return name.slice(0, name.length - extensionOf(name).length)
}
