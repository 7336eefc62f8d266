import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, extname, parse, resolve } from 'node:path'

import { errorMessage, PgvectorMigrationError } from '../core/errors.ts'
import { choiceKind, optionsParser, required, textKind, textsKind, valueKind } from '../core/option-kinds.ts'
import type { VectorDifference } from '../diff/difference.ts'
import { fileNameOf, invalidName } from './file-name.ts'
import { fileKindFor, type FileKindOptions } from './file-kind.ts'
import { remedyFor } from './comments.ts'
import { composeFrom, type ComposedMigration } from './from-diff.ts'
import { migrationSource } from '../migrator/files/source.ts'
import { migrationKinds, migrationText, type MigrationKind } from './templates.ts'
import { textOfStub, type Stub } from '../database/migration-stub.ts'
import { sessionOf, type Database } from '../database/session.ts'
import { settingsOf, type MigrationSettings } from '../migrator/settings.ts'

/** Where a new migration goes, and what it contains. */
export interface NewMigrationOptions extends FileKindOptions {
  /** The folder of the migrations; created if it does not exist. */
  readonly directory: string
  /** What the file contains; default `blank`. */
  readonly kind?: MigrationKind | undefined
  /** The path of your own template, as in Knex's `migrations.stub`; it replaces `blank`. */
  readonly stub?: string | undefined
  /** The values of the template's placeholders, as in Knex's `migrations.variables`. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined
  /** The differences to resolve, as {@link diffVectors} returned them; use instead of a kind. */
  readonly differences?: readonly VectorDifference[] | undefined
}

const parseNewOptions = optionsParser({
  directory: required(textKind),
  kind: choiceKind(migrationKinds),
  stub: textKind,
  variables: valueKind<Readonly<Record<string, unknown>>>(isObject, 'must be an object'),
  differences: valueKind<readonly VectorDifference[]>(Array.isArray, 'must be the result of diffVectors'),
  extension: textKind,
  loadExtensions: textsKind,
  knexfile: textKind,
})
const parseName = optionsParser({ name: required(textKind) })

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

/** A new migration file. */
export interface NewMigration {
  /** Without extension. */
  readonly name: string
  readonly path: string
}

/**
 * Writes a new migration file, numbered and formatted like the others in its folder. The first file follows the
 * project.
 *
 * @example
 * const { path } = await newMigration('add tags', { directory: 'migrations', kind: 'column' })
 *
 * @throws {PgvectorMigrationError} MIGRATION_EXISTS if a migration already has this name, INVALID_OPTIONS if the name is
 * not possible.
 */
export async function newMigration(name: string, options: NewMigrationOptions): Promise<NewMigration> {
  const { directory, kind = 'blank', differences, stub, variables = {}, ...fileKind } = parseNewOptions(options)
  parseName({ name })
  const words = fileNameOf(name)
  const begin = differences === undefined ? kind : composed(differences)
  await mkdir(directory, { recursive: true })
  const files = await migrationSource({ directory, keepExtensions: true }).getMigrations([])
  const existing = files.find(({ file }) => parse(file).name.replace(NUMBER, '') === words)
  if (existing !== undefined) throw new PgvectorMigrationError('MIGRATION_EXISTS', { name: words, path: existing.path })
  const { loadExtensions } = fileKind
  const last = files.findLast(({ path: each }) => loadExtensions?.includes(extname(each)) ?? true)?.path
  const numbered = `${nextNumber(files.map(({ file }) => file))}_${words}`
  const { extension, language } = await fileKindFor(directory, last, fileKind)
  const path = resolve(directory, `${numbered}${extension}`)
  const isFromStub = stub !== undefined && kind === 'blank' && differences === undefined
  const text = isFromStub ? await stubText({ path: stub, variables }) : migrationText(begin, language)
  await writeFile(path, text, { flag: 'wx' })
  return { name: numbered, path }
}

function composed(differences: readonly VectorDifference[]): ComposedMigration {
  const migration = composeFrom(differences)
  if (migration.operations.length > 0) return migration
  const remedies = new Set(differences.flatMap((difference) => remedyFor(difference) ?? []))
  const hint = [...remedies, 'Nothing was written.'].join(' ')
  const problems = ['differences: no migration can be generated that removes any of them', ...migration.comments]
  throw new PgvectorMigrationError('INVALID_OPTIONS', { problems }, { hint })
}

async function stubText(stub: Stub): Promise<string> {
  return textOfStub(stub).catch((error: unknown) => {
    const problems = [`stub: ${stub.path} is no template: ${errorMessage(error)}`]
    throw new PgvectorMigrationError('INVALID_OPTIONS', { problems }, { cause: error })
  })
}

/** A migration source that knows its folders: this library's, or Knex's own. */
interface FolderSource {
  readonly directories?: readonly string[]
  readonly migrationsPaths?: readonly string[]
}

/**
 * Returns the folder for a new migration. That is the last folder that Knex is configured with. For a custom source it
 * is the folder of the last migration or, if there is none, the last of the source's folders.
 */
export async function folderOf(db: Database): Promise<string> {
  const { source, folder, loadExtensions } = settingsOf(sessionOf(db))
  if (folder !== null) return resolve(folder)
  const { directories, migrationsPaths } = source as FolderSource
  const folders = directories ?? migrationsPaths
  const last = (await listIn(source, loadExtensions, folders)).at(-1)
  if (typeof last?.path === 'string') return dirname(last.path)
  return resolve(typeof last?.directory === 'string' ? last.directory : (folders?.at(-1) ?? 'migrations'))
}

interface Listed {
  readonly path?: unknown
  /** The field that Knex's own source has instead. */
  readonly directory?: unknown
}

async function listIn(
  source: MigrationSettings['source'],
  loadExtensions: readonly string[],
  folders: readonly string[] | undefined,
): Promise<readonly Listed[]> {
  try {
    return (await source.getMigrations(loadExtensions)) as readonly Listed[]
  } catch (error) {
    // The folder is created with its first migration.
    if (folders !== undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

const NUMBER = /^\d+[_-]?/

const TIMESTAMP = /^\d{14}$/

function nextNumber(files: readonly string[]): string {
  const last = files.findLast((file) => /^\d/.test(file))?.match(/^\d+/)?.[0]
  if (last === undefined) return '001'
  const following = String(BigInt(last) + 1n).padStart(last.length, '0')
  // Migrations run in the order of their names, and 1000 sorts before 999.
  if (following.length > last.length) throw invalidName(`there is no number after ${last} that has as many digits`)
  if (!TIMESTAMP.test(last)) return following
  const now = new Date().toISOString().replaceAll(/\D/g, '').slice(0, last.length)
  return now > last ? now : following
}
