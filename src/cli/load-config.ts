import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../core/errors.ts'
import type { FileKindOptions } from '../scaffold/file-kind.ts'
import { isUnreadable, loadNatively, loadWithJiti, type LoadedModule } from '../migrator/files/load.ts'
import { loadProblem } from '../migrator/files/load-problem.ts'
import { migrationSource } from '../migrator/files/source.ts'

/** The flags that say how to reach the database. */
export interface ConfigFlags {
  readonly knexfile?: string
  readonly env?: string
  readonly databaseUrl?: string
}

/** A Knex configuration, and where it is from, for people. */
export interface LoadedConfig {
  readonly config: Knex.Config
  readonly file: string
  /** The folder of its migrations, the last where there are several; null where only its migration source knows. */
  readonly directory: string | null
  /** What tells how a new migration is to be written. */
  readonly fileKind: FileKindOptions
}

type Knexfile = Knex.Config | Readonly<Record<string, Knex.Config>>

const DEFAULT_DIRECTORY = './migrations'

const EXTENSIONS = ['js', 'cjs', 'mjs', 'ts', 'mts', 'cts'] as const

let inUse: string | null = null

/** Where the configuration of this process is from, for people; null before it is loaded. */
export function configurationInUse(): string | null {
  return inUse
}

/**
 * Finds and loads the Knex configuration, whatever flavour of JavaScript or TypeScript it is in.
 *
 * As stock Knex does, it works from the folder of the knexfile, so that relative paths in it mean the same.
 */
export async function loadConfig({ knexfile, env, databaseUrl }: ConfigFlags): Promise<LoadedConfig> {
  const file = findKnexfile(knexfile)
  const server = databaseUrl === undefined ? null : { client: 'pg', connection: databaseUrl, pool: {} }
  if (file === undefined) {
    if (server === null) throw new PgvectorMigrationError('KNEXFILE_NOT_FOUND', { folder: process.cwd() })
    inUse = `none (no knexfile in ${process.cwd()})`
    return { ...withSource(server), file: '--database-url', fileKind: {} }
  }
  inUse = file
  process.chdir(dirname(file))
  const config = environmentOf(await importKnexfile(file), file, env)
  const { extension, loadExtensions } = config.migrations ?? {}
  const fileKind = { extension, loadExtensions, knexfile: file }
  return { ...withSource({ ...config, ...server }), file: server === null ? file : '--database-url', fileKind }
}

function findKnexfile(given: string | undefined): string | undefined {
  if (given === undefined)
    return EXTENSIONS.map((extension) => resolve(`knexfile.${extension}`)).find((file) => existsSync(file))
  const file = resolve(given)
  if (!existsSync(file)) throw new PgvectorMigrationError('KNEXFILE_NOT_FOUND', { folder: file })
  return file
}

async function importKnexfile(file: string): Promise<Knexfile> {
  try {
    const module = await loadFile(file)
    const loaded = module['default'] ?? module
    const knexfile: unknown = typeof loaded === 'function' ? await loaded() : loaded
    if (typeof knexfile === 'object' && knexfile !== null) return knexfile as Knexfile
  } catch (error) {
    const { hint, ...problem } = loadProblem(error, file)
    throw new PgvectorMigrationError('INVALID_KNEXFILE', { file, ...problem }, { cause: error, hint })
  }
  throw exportsNothing(file)
}

// To transform a file takes time, and most knexfiles need nothing of it.
async function loadFile(file: string): Promise<LoadedModule> {
  if (!file.endsWith('js')) return loadWithJiti(file)
  try {
    return await loadNatively(file)
  } catch (error) {
    // It may be JavaScript that reads TypeScript, or mixes the two kinds of modules.
    if (!isUnreadable(error) && !(error instanceof ReferenceError)) throw error
    return loadWithJiti(file)
  }
}

function exportsNothing(file: string): PgvectorMigrationError {
  return new PgvectorMigrationError('INVALID_KNEXFILE', { file, problem: 'it exports no configuration' })
}

// As stock Knex has it: the environment's configuration, and where there are no environments, the whole.
function environmentOf(knexfile: Knexfile, file: string, asked: string | undefined): Knex.Config {
  const environment = asked ?? process.env['NODE_ENV'] ?? 'development'
  const isOne = 'client' in knexfile
  if (isOne && asked === undefined) return knexfile as Knex.Config
  const environments = isOne ? {} : (knexfile as Readonly<Record<string, Knex.Config>>)
  const found = environments[environment]
  if (found !== undefined) return found
  const known = Object.keys(environments)
  if (!isOne && known.length === 0) throw exportsNothing(file)
  throw new PgvectorMigrationError('ENVIRONMENT_NOT_FOUND', { environment, known })
}

/**
 * Stock Knex stores names with their extension; where the configuration has no source of its own, so must we.
 *
 * What configures Knex's own source is left out, since Knex would go back to that one: it reads no TypeScript by itself.
 */
function withSource(config: Knex.Config): Pick<LoadedConfig, 'config' | 'directory'> {
  const { directory, ...migrations } = config.migrations ?? {}
  const { migrationSource: own, sortDirsSeparately, loadExtensions } = migrations
  const folder = (typeof directory === 'string' ? directory : directory?.at(-1)) ?? null
  // Only Knex's own source knows these.
  if (own !== undefined || sortDirsSeparately === true || loadExtensions !== undefined)
    return { config, directory: folder }
  const source = migrationSource({ directory: directory ?? DEFAULT_DIRECTORY, keepExtensions: true })
  return {
    config: { ...config, migrations: { ...migrations, migrationSource: source } },
    directory: folder ?? DEFAULT_DIRECTORY,
  }
}
