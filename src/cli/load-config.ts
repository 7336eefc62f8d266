import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../errors.ts'
import { migrationSource } from '../runner/migration-source.ts'

/** The flags that say how to reach the database. */
export interface ConfigFlags {
  readonly knexfile?: string
  readonly env?: string
  readonly databaseUrl?: string
}

type Knexfile = Knex.Config | Readonly<Record<string, Knex.Config>>

const EXTENSIONS = ['js', 'cjs', 'mjs', 'ts', 'mts', 'cts'] as const

/**
 * Finds and loads the Knex configuration, whatever flavour of JavaScript or TypeScript it is in.
 *
 * As stock Knex does, it works from the folder of the knexfile, so that relative paths in it mean the same.
 */
export async function loadConfig(flags: ConfigFlags): Promise<Knex.Config> {
  const file = findKnexfile(flags.knexfile)
  if (file === undefined) {
    if (flags.databaseUrl === undefined)
      throw new PgvectorMigrationError('KNEXFILE_NOT_FOUND', { folder: process.cwd() })
    return withSource({ client: 'pg', connection: flags.databaseUrl })
  }
  process.chdir(dirname(file))
  const config = environmentOf(
    await importKnexfile(file),
    flags.env ?? process.env['NODE_ENV'] ?? 'development',
    flags.env,
  )
  return withSource(
    flags.databaseUrl === undefined ? config : { ...config, client: 'pg', connection: flags.databaseUrl, pool: {} },
  )
}

function findKnexfile(given: string | undefined): string | undefined {
  if (given === undefined)
    return EXTENSIONS.map((extension) => resolve(`knexfile.${extension}`)).find((file) => existsSync(file))
  const file = resolve(given)
  if (!existsSync(file)) throw new PgvectorMigrationError('KNEXFILE_NOT_FOUND', { folder: file })
  return file
}

async function importKnexfile(file: string): Promise<Knexfile> {
  const { createJiti } = await import('jiti')
  const loaded = await createJiti(file).import<Knexfile | (() => Knexfile | Promise<Knexfile>)>(file, { default: true })
  return typeof loaded === 'function' ? loaded() : loaded
}

function environmentOf(knexfile: Knexfile, name: string, asked: string | undefined): Knex.Config {
  const environments = knexfile as Readonly<Record<string, Knex.Config | undefined>>
  const found = environments[name]
  if (found !== undefined) return found
  if (asked !== undefined) {
    const known = Object.keys(knexfile).filter((key) => typeof environments[key] === 'object')
    throw new PgvectorMigrationError('ENVIRONMENT_NOT_FOUND', { environment: asked, known })
  }
  return knexfile as Knex.Config
}

// Stock Knex stores names with their extension; where the configuration has no source of its own, so must we.
function withSource(config: Knex.Config): Knex.Config {
  const { migrations = {} } = config
  if (migrations.migrationSource !== undefined) return config
  const directory = migrations.directory ?? './migrations'
  return {
    ...config,
    migrations: { ...migrations, migrationSource: migrationSource({ directory, keepExtensions: true }) },
  }
}
