import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../core/errors.ts'
import type { NewMigrationOptions } from '../scaffold/new-migration.ts'
import { isUnreadable, loadNatively, loadWithJiti, type LoadedModule } from '../migrator/files/load.ts'
import { loadProblem } from '../migrator/files/load-problem.ts'

/** The flags that choose the database. */
export interface ConfigFlags {
  readonly knexfile?: string
  readonly env?: string
  readonly databaseUrl?: string
}

/** The settings of the knexfile for new migrations. */
export type Template = Omit<NewMigrationOptions, 'directory' | 'kind' | 'differences'>

/** Where the server is named: in a knexfile, the flag, the environment variable, or nowhere. */
export type Origin = 'knexfile' | '--database-url' | 'DATABASE_URL' | 'none'

/** A Knex configuration, and a description of where it comes from. */
export interface LoadedConfig {
  readonly config: Knex.Config
  /** The path of the knexfile, or what names the server if there is none. */
  readonly file: string
  readonly origin: Origin
  /** The style of new migrations. */
  readonly template: Template
}

type Knexfile = Knex.Config | Readonly<Record<string, Knex.Config>>

const EXTENSIONS = ['js', 'cjs', 'mjs', 'ts', 'mts', 'cts'] as const

let inUse: string | null = null

/** Describes where the configuration of this process comes from. Null before it is loaded. */
export function configurationInUse(): string | null {
  return inUse
}

/**
 * Finds and loads the Knex configuration, in any form of JavaScript or TypeScript.
 *
 * As stock Knex does, it works from the folder of the knexfile, so that relative paths in it mean the same. Without one it
 * uses Knex's defaults with the server that --database-url or DATABASE_URL names.
 */
export async function loadConfig({ knexfile, env, databaseUrl }: ConfigFlags): Promise<LoadedConfig> {
  const file = findKnexfile(knexfile)
  if (file === undefined) {
    inUse = `none (no knexfile in ${process.cwd()})`
    const url = databaseUrl ?? (process.env['DATABASE_URL'] || undefined)
    const origin = databaseUrl !== undefined ? '--database-url' : url === undefined ? 'none' : 'DATABASE_URL'
    return { config: url === undefined ? { client: 'pg' } : serverAt(url), file: origin, origin, template: {} }
  }
  inUse = file
  process.chdir(dirname(file))
  const config = environmentOf(await importKnexfile(file), file, env)
  // Knex's types have no variables here.
  const migrations: Pick<NewMigrationOptions, 'variables'> & Knex.MigratorConfig = config.migrations ?? {}
  const { extension, loadExtensions, stub, variables } = migrations
  const template = { extension, loadExtensions, knexfile: file, stub, variables }
  return databaseUrl === undefined
    ? { config, file, origin: 'knexfile', template }
    : { config: { ...config, ...serverAt(databaseUrl) }, file, origin: '--database-url', template }
}

function serverAt(connection: string): Knex.Config {
  return { client: 'pg', connection, pool: {} }
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

// Transforming takes time, and most knexfiles do not need it.
async function loadFile(file: string): Promise<LoadedModule> {
  if (!file.endsWith('js')) return loadWithJiti(file)
  try {
    return await loadNatively(file)
  } catch (error) {
    // It may be JavaScript that imports TypeScript, or that mixes CommonJS and ES modules.
    if (!isUnreadable(error) && !(error instanceof ReferenceError)) throw error
    return loadWithJiti(file)
  }
}

function exportsNothing(file: string): PgvectorMigrationError {
  return new PgvectorMigrationError('INVALID_KNEXFILE', { file, problem: 'it exports no configuration' })
}

function hasNoClient(file: string): PgvectorMigrationError {
  const hint = "Set client: 'pg'."
  return new PgvectorMigrationError('INVALID_KNEXFILE', { file, problem: 'it has no client' }, { hint })
}

// As stock Knex does: the configuration of the environment, or the whole file if it has no environments.
function environmentOf(knexfile: Knexfile, file: string, asked: string | undefined): Knex.Config {
  const environment = asked ?? process.env['NODE_ENV'] ?? 'development'
  const isOne = 'client' in knexfile
  if (isOne && asked === undefined) return knexfile as Knex.Config
  const environments = isOne ? {} : (knexfile as Readonly<Record<string, Knex.Config>>)
  const found = environments[environment]
  if (found !== undefined) return found
  const known = Object.keys(environments)
  if (!isOne && known.length === 0) throw exportsNothing(file)
  if (known.includes('connection')) throw hasNoClient(file)
  throw new PgvectorMigrationError('ENVIRONMENT_NOT_FOUND', { environment, known })
}
