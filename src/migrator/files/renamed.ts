import { PgvectorMigrationError } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import { literal } from '../../core/sql.ts'
import { listMigrations } from './list.ts'
import type { MigrationSettings } from '../settings.ts'
import { readApplied } from '../tracking.ts'

/** A migration that was applied under another file extension than it has on disk, which Knex calls corrupt. */
export interface Renamed {
  /** As Knex's table has it. */
  readonly name: string
  /** As it is called on disk. */
  readonly file: string
}

/** Which of the applied migrations have another extension on disk: `once`, or `twice` where the table has both. */
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

/** The statements that give the migrations in Knex's table the names that they have on disk. */
export function renameStatements(renamed: readonly Renamed[], table: string): string[] {
  return [...new Set(renamed.map(({ file }) => extensionOf(file)))].map((extension) => {
    const names = renamed.filter(({ file }) => extensionOf(file) === extension).map(({ name }) => literal(name))
    return `UPDATE ${table} SET name = regexp_replace(name, '([.][cm]?[jt]s)?$', ${literal(extension)}) WHERE name IN (${names.join(', ')});`
  })
}

/** The statement that takes the records of migrations away that the table has twice. */
export function deleteStatement(twice: readonly Renamed[], table: string): string {
  return `DELETE FROM ${table} WHERE name IN (${twice.map(({ name }) => literal(name)).join(', ')});`
}

/** Says of files that are missing which ones are there under another extension, and what to do about them. */
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
    ...(lost.length === 0 ? [] : [`Of ${lost.join(', ')} there is no file at all. ${error.hint}`]),
  ]
  return new PgvectorMigrationError('MIGRATION_FILES_MISSING', error.details, { hint: hints.join(' ') })
}

// Which of the two is right, the files or the table, depends on how the others who migrate here are configured.
function originOf(renamed: readonly Renamed[]): string {
  if (renamed.every(({ name }) => extensionOf(name) === '')) {
    return 'They were applied with migrationSource, without file extensions: give this Knex configuration the same one.'
  }
  if (renamed.every(({ file }) => extensionOf(file) === '')) {
    return 'They were applied without migrationSource, with file extensions: use { keepExtensions: true } to go on so.'
  }
  return 'They were applied under another file extension, as before a build: migrationSource makes both one.'
}

function extensionOf(name: string): string {
  return /\.[cm]?[jt]s$/.exec(name)?.[0] ?? ''
}

/** The name without its extension. */
export function stem(name: string): string {
  return name.slice(0, name.length - extensionOf(name).length)
}
