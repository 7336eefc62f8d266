import { readdir } from 'node:fs/promises'
import { extname, join, parse, resolve } from 'node:path'

import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../../core/errors.ts'
import { flagKind, optionsParser, required, textOrTextsKind, textsKind } from '../../core/option-kinds.ts'
import { inMigration } from '../../database/migration-context.ts'
import { isUnreadable, loadNatively, loadWithJiti, type LoadedModule } from './load.ts'

/** A migration file on disk. */
export interface FileMigration {
  /** The name without extension: what is stored in Knex's table. `migrate:list` prints a field of this name. */
  readonly file: string
  /** The folder as it was given, as in the files of Knex's own source. */
  readonly directory: string
  /** The whole path. */
  readonly path: string
}

/** Where migrations are. */
export interface MigrationSourceOptions {
  /** The folder of the migration files, or several; absolute or relative to the working directory. */
  readonly directory: string | readonly string[]
  /** Keep the extensions in the names, as stock Knex does; for a database that stock Knex migrates. Default false. */
  readonly keepExtensions?: boolean | undefined
  /** Run the migrations of each folder after those of the folders before it, as Knex's own option; default false. */
  readonly sortDirsSeparately?: boolean | undefined
  /** Which files are migrations, as Knex's own option: `['.ts']`; default .js, .cjs, .mjs, .ts, .cts and .mts. */
  readonly loadExtensions?: readonly string[] | undefined
}

/** What {@link migrationSource} returns: a migration source for Knex that says where its files are. */
export interface FileMigrationSource extends Knex.MigrationSource<FileMigration> {
  /** The folders as they were given; a new migration goes to the last of them where there is none yet. */
  readonly directories: readonly string[]
}

const parseSourceOptions = optionsParser({
  directory: required(textOrTextsKind),
  keepExtensions: flagKind,
  sortDirsSeparately: flagKind,
  loadExtensions: textsKind,
})

const DEFAULT_EXTENSIONS = ['.js', '.cjs', '.mjs', '.ts', '.cts', '.mts'] as const

/** A declaration, which a build puts beside its migration. */
const DECLARATION = /\.d\.[cm]?ts$/

/**
 * A migration source for Knex whose names carry no file extension.
 *
 * Knex stores the name of a migration with its extension, and says "the migration directory is corrupt" once a build
 * has turned .ts into .js. With this source both are the same migration.
 *
 * @example
 * export default { client: 'pg', connection, migrations: { migrationSource: migrationSource({ directory: 'migrations' }) } }
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS; later, when it is read: INVALID_MIGRATION when two files have one name, or a file lacks up or down.
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
      if (typeof down !== 'function') throw invalid(file, 'it exports no function down, so it cannot be undone')
      return inMigration({ name: file, direction: 'down' }, () => down(knex))
    },
    ...(config === undefined ? {} : { config }),
  }
}

function invalid(file: string, problem: string): PgvectorMigrationError {
  return new PgvectorMigrationError('INVALID_MIGRATION', { file, problem })
}

// Knex's own type does not know `config`, which its migrator reads.
interface MigrationModule {
  up(knex: Knex): Promise<void>
  down(knex: Knex): Promise<void>
  config?: { readonly transaction?: boolean }
}

// Where a tool has registered a loader for TypeScript, that one reads it.
async function importFile(path: string): Promise<LoadedModule> {
  try {
    return await loadNatively(path)
  } catch (error) {
    if (!/\.[cm]?ts$/.test(path) || !isUnreadable(error)) throw error
    return loadWithJiti(path)
  }
}
