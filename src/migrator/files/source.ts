import { readdir } from 'node:fs/promises'
import { extname, join, parse, resolve } from 'node:path'

import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../../core/errors.ts'
import { flagKind, optionsParser, required, textOrTextsKind, textsKind } from '../../core/option-kinds.ts'
import { inMigration } from '../../database/migration-context.ts'
import { isUnreadable, loadNatively, loadWithJiti, type LoadedModule } from './load.ts'

/** A migration file on disk. */
export interface FileMigration {
  /** The name without extension, as stored in Knex's table. `migrate:list` prints a field of this name. */
  readonly file: string
  /** The folder as given, as in the files of Knex's own source. */
  readonly directory: string
  /** The full path. */
  readonly path: string
}

/** Options of {@link migrationSource}. */
export interface MigrationSourceOptions {
  /** The folder of the migration files, or several; absolute or relative to the working directory. */
  readonly directory: string | readonly string[]
  /** Keep the extensions in the names, as stock Knex does, for a database that stock Knex migrates; default false. */
  readonly keepExtensions?: boolean | undefined
  /** Run the migrations of each folder after those of the folders before it, like Knex's own option; default false. */
  readonly sortDirsSeparately?: boolean | undefined
  /** Which files are migrations, like Knex's own option: `['.ts']`; default .js, .cjs, .mjs, .ts, .cts and .mts. */
  readonly loadExtensions?: readonly string[] | undefined
}

/** A migration source for Knex that exposes its folders, as {@link migrationSource} returns it. */
export interface FileMigrationSource extends Knex.MigrationSource<FileMigration> {
  /** The folders as given. If there is no migration yet, a new one goes to the last of them. */
  readonly directories: readonly string[]
}

const parseSourceOptions = optionsParser({
  directory: required(textOrTextsKind),
  keepExtensions: flagKind,
  sortDirsSeparately: flagKind,
  loadExtensions: textsKind,
})

const DEFAULT_EXTENSIONS = ['.js', '.cjs', '.mjs', '.ts', '.cts', '.mts'] as const

/** A declaration file, which a build writes next to its migration. */
const DECLARATION = /\.d\.[cm]?ts$/

/**
 * Creates a migration source for Knex whose names have no file extension.
 *
 * Stock Knex stores a migration's name with its extension, and reports "the migration directory is corrupt" after a
 * build has turned .ts into .js. With this source, both files are the same migration.
 *
 * @example export default { client: 'pg', connection, migrations: { migrationSource: migrationSource({ directory: 'migrations' }) } }
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS. When the source is read: INVALID_MIGRATION if two files have one name,
 * or a file lacks up or down.
 */
export function migrationSource(given: MigrationSourceOptions): FileMigrationSource {
  const { directory, ...options } = parseSourceOptions(given)
  const directories = typeof directory === 'string' ? [directory] : directory
  return {
    directories,
    getMigrations: () => listFiles(directories, options),
    getMigrationName: ({ file }) => file,
    getMigration: load,
  }
}

type ListOptions = Omit<MigrationSourceOptions, 'directory'>

async function listFiles(directories: readonly string[], options: ListOptions): Promise<FileMigration[]> {
  const folders = await Promise.all(directories.map((directory) => listFolder(directory, options)))
  const files = options.sortDirsSeparately === true ? folders.flatMap(byName) : byName(folders.flat())
  const names = new Set<string>()
  for (const { file, path } of files) {
    if (names.has(file)) {
      throw invalid(file, `two files have this name, and ${path} is one; a build belongs in a folder of its own`)
    }
    names.add(file)
  }
  return files
}

async function listFolder(
  directory: string,
  { keepExtensions = false, loadExtensions = DEFAULT_EXTENSIONS }: ListOptions,
): Promise<FileMigration[]> {
  const folder = resolve(directory)
  const names = (await readdir(folder)).filter(
    (name) => loadExtensions.includes(extname(name)) && !DECLARATION.test(name),
  )
  return names.map((name) => ({
    file: keepExtensions ? name : parse(name).name,
    directory,
    path: join(folder, name),
  }))
}

function byName(files: readonly FileMigration[]): FileMigration[] {
  return files.toSorted((left, right) => (left.file < right.file ? -1 : 1))
}

async function load({ file, path }: FileMigration): Promise<MigrationModule> {
  const module = await importFile(path)
  const { up, down, config } = (
    module.up === undefined ? (module.default ?? module) : module
  ) as Partial<MigrationModule>
  if (typeof up !== 'function') throw invalid(file, 'it exports no function up')
  return {
    up: (knex) => inMigration({ name: file, direction: 'up' }, () => up(knex)),
    down: (knex) => {
      if (typeof down !== 'function') throw invalid(file, 'it exports no function down, so it cannot be rolled back')
      return inMigration({ name: file, direction: 'down' }, () => down(knex))
    },
    ...(config === undefined ? {} : { config }),
  }
}

function invalid(file: string, problem: string): PgvectorMigrationError {
  return new PgvectorMigrationError('INVALID_MIGRATION', { file, problem })
}

// Knex's own type lacks `config`, which its migrator reads.
interface MigrationModule {
  up(knex: Knex): Promise<void>
  down(knex: Knex): Promise<void>
  config?: { readonly transaction?: boolean }
}

// If a tool has registered a loader for TypeScript, that loader reads the file.
async function importFile(path: string): Promise<LoadedModule> {
  try {
    return await loadNatively(path)
  } catch (error) {
    if (!/\.[cm]?ts$/.test(path) || !isUnreadable(error)) throw error
    return loadWithJiti(path)
  }
}
