import { resolve } from 'node:path'

import type { Knex } from 'knex'

import { isPgvectorMigrationError, PgvectorMigrationError } from '../../core/errors.ts'
import { loadProblem } from './load-problem.ts'
import type { MigrationSettings } from '../settings.ts'

/** The exports of a migration file. Knex's own type lacks `config`. */
export interface MigrationModule {
  up(knex: Knex): PromiseLike<unknown>
  readonly down?: {
    (knex: Knex): PromiseLike<unknown>
    /** The property of a composed migration's `down`, whichever copy of this package composed it. */
    readonly inTransaction?: (knex: Knex) => PromiseLike<unknown>
  }
  readonly config?: { readonly transaction?: boolean }
}

/** The migrations of a source, by name, in order. */
export interface MigrationFiles {
  readonly names: readonly string[]
  /** Whether the files of applied migrations may be missing. */
  readonly allowsMissing: boolean
  load(name: string): Promise<LoadedMigration>
}

/** A migration that can be run, with the arguments of Knex's hooks for it. */
export interface LoadedMigration {
  readonly name: string
  readonly file: unknown
  /** The full path of its file; null if its source has none. */
  readonly path: string | null
  readonly module: MigrationModule
  readonly transactional: boolean
}

/**
 * Lists a source's migrations without loading any of them.
 *
 * @throws {PgvectorMigrationError} MIGRATIONS_NOT_FOUND if their folder cannot be read.
 */
export async function listMigrations({
  source,
  loadExtensions,
  disableTransactions,
  allowsMissingFiles,
}: MigrationSettings): Promise<MigrationFiles> {
  const files = await filesOf(source, loadExtensions)
  const byName = new Map<string, unknown>()
  for (const file of files) {
    const name = source.getMigrationName(file)
    // Knex would run both, and record the name twice.
    if (byName.has(name)) throw invalid(name, 'two migrations of its source have this name')
    byName.set(name, file)
  }
  const loaded = new Map<string, Promise<LoadedMigration>>()
  const load = async (name: string): Promise<LoadedMigration> => {
    if (!byName.has(name)) throw new PgvectorMigrationError('MIGRATION_FILES_MISSING', { missing: [name] })
    const file = byName.get(name)
    const module = (await loadFrom(source, file, name)) as MigrationModule
    const { transaction } = module.config ?? {}
    // Knex ignores a value that is not a boolean.
    const transactional = typeof transaction === 'boolean' ? transaction : !disableTransactions
    return { name, file, path: pathOf(file) || null, module, transactional }
  }
  return {
    names: [...byName.keys()],
    allowsMissing: allowsMissingFiles,
    load: (name) => {
      const loading = loaded.get(name) ?? load(name)
      loaded.set(name, loading)
      return loading
    },
  }
}

// Our own errors about a file's exports need no further explanation.
async function loadFrom(source: Knex.MigrationSource<unknown>, file: unknown, name: string): Promise<unknown> {
  try {
    return await source.getMigration(file)
  } catch (error) {
    if (isPgvectorMigrationError(error, 'INVALID_MIGRATION')) throw error
    const { hint, ...problem } = loadProblem(error, pathOf(file))
    throw new PgvectorMigrationError('INVALID_MIGRATION', { file: name, ...problem }, { cause: error, hint })
  }
}

// Knex's own source has a folder and a name. A custom source may have no file at all.
function pathOf(file: unknown): string {
  const { path, directory, file: name } = (file ?? {}) as Partial<Record<'path' | 'directory' | 'file', unknown>>
  if (typeof path === 'string') return path
  return typeof directory === 'string' && typeof name === 'string' ? resolve(directory, name) : ''
}

function invalid(file: string, problem: string): PgvectorMigrationError {
  return new PgvectorMigrationError('INVALID_MIGRATION', { file, problem })
}

// A custom source may return a list synchronously.
async function filesOf(
  source: MigrationSettings['source'],
  loadExtensions: readonly string[],
): Promise<readonly unknown[]> {
  try {
    return await source.getMigrations(loadExtensions)
  } catch (error) {
    throw folderMissing(error) ?? error
  }
}

// Other reads of a custom source are not explained here.
function folderMissing(error: unknown): PgvectorMigrationError | null {
  const { syscall, code, path } = (error ?? {}) as NodeJS.ErrnoException
  if (syscall !== 'scandir' || path === undefined) return null
  const details = { directory: resolve(path), reason: code ?? 'unknown' }
  return new PgvectorMigrationError('MIGRATIONS_NOT_FOUND', details, { cause: error })
}
