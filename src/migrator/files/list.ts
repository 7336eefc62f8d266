import { resolve } from 'node:path'

import type { Knex } from 'knex'

import { isPgvectorMigrationError, PgvectorMigrationError } from '../../core/errors.ts'
import { loadProblem } from './load-problem.ts'
import type { MigrationSettings } from '../settings.ts'

/** A migration file as its module exports it; Knex's own type lacks `config`. */
export interface MigrationModule {
  up(knex: Knex): PromiseLike<unknown>
  readonly down?: {
    (knex: Knex): PromiseLike<unknown>
    /** As that of a migration of operations, whichever copy of this package composed it. */
    readonly inTransaction?: (knex: Knex) => PromiseLike<unknown>
  }
  readonly config?: { readonly transaction?: boolean }
}

/** The migrations that a source has, by name, in order. */
export interface MigrationFiles {
  readonly names: readonly string[]
  load(name: string): Promise<LoadedMigration>
}

/** A migration that can be run, and what Knex's hooks are given for it. */
export interface LoadedMigration {
  readonly name: string
  readonly file: unknown
  readonly module: MigrationModule
  readonly transactional: boolean
}

/**
 * Lists a source's migrations without loading any of them.
 *
 * @throws {PgvectorMigrationError} MIGRATIONS_NOT_FOUND where their folder cannot be read.
 */
export async function listMigrations({
  source,
  loadExtensions,
  disableTransactions,
}: MigrationSettings): Promise<MigrationFiles> {
  const files = await source.getMigrations(loadExtensions).catch((error: unknown) => {
    throw folderMissing(error) ?? error
  })
  const byName = new Map(files.map((file) => [source.getMigrationName(file), file]))
  const loaded = new Map<string, Promise<LoadedMigration>>()
  const load = async (name: string): Promise<LoadedMigration> => {
    const file = byName.get(name)
    const module = (await loadFrom(source, file, name)) as MigrationModule
    return { name, file, module, transactional: module.config?.transaction ?? !disableTransactions }
  }
  return {
    names: [...byName.keys()],
    load: (name) => {
      const loading = loaded.get(name) ?? load(name)
      loaded.set(name, loading)
      return loading
    },
  }
}

// An error of ours about a file, what it exports say, is as good as it can be.
async function loadFrom(source: Knex.MigrationSource<unknown>, file: unknown, name: string): Promise<unknown> {
  try {
    return await source.getMigration(file)
  } catch (error) {
    if (isPgvectorMigrationError(error, 'INVALID_MIGRATION')) throw error
    const { hint, ...problem } = loadProblem(error, pathOf(file))
    throw new PgvectorMigrationError('INVALID_MIGRATION', { file: name, ...problem }, { cause: error, hint })
  }
}

// Knex's own source has a folder and a name; a source of the caller's may have no file at all.
function pathOf(file: unknown): string {
  const { path, directory, file: name } = (file ?? {}) as Partial<Record<'path' | 'directory' | 'file', unknown>>
  if (typeof path === 'string') return path
  return typeof directory === 'string' && typeof name === 'string' ? resolve(directory, name) : ''
}

// What else a source of the caller's own reads is not ours to explain.
function folderMissing(error: unknown): PgvectorMigrationError | null {
  const { syscall, code, path } = (error ?? {}) as NodeJS.ErrnoException
  if (syscall !== 'scandir' || path === undefined) return null
  const details = { directory: resolve(path), reason: code ?? 'unknown' }
  return new PgvectorMigrationError('MIGRATIONS_NOT_FOUND', details, { cause: error })
}
