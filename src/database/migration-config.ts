import type { Knex } from 'knex'

import type { Session } from './session.ts'

/** A hook of Knex's migrator, with the connection and the migrations that it is called for. */
export type Hook = (knex: Knex, migrations: unknown[]) => unknown

/** The configuration of Knex's own migration source, which reads folders. */
export interface KnexFolders {
  readonly directory: string | readonly string[]
  readonly sortDirsSeparately: boolean
  readonly loadExtensions: readonly string[]
}

/** Knex's own migration settings, merged with its defaults, as its migrator stores them. */
export interface KnexMigrationConfig {
  readonly tableName: string
  readonly schemaName: string | null
  readonly disableTransactions: boolean
  readonly disableMigrationsListValidation: boolean
  /** A custom source; null if Knex would read `folders`. */
  readonly source: Knex.MigrationSource<unknown> | null
  readonly folders: KnexFolders
  readonly beforeAll?: Hook
  readonly beforeEach?: Hook
  readonly afterEach?: Hook
  readonly afterAll?: Hook
}

/** The part of Knex's settings that its methods accept too, as in `knex.migrate.latest(config)`. */
export type KnexMigrationOptions = Partial<
  Omit<KnexMigrationConfig, 'source' | 'folders' | 'schemaName'> & KnexFolders
> & { readonly schemaName?: string | null; readonly migrationSource?: Knex.MigrationSource<unknown> }

/**
 * Returns how a Knex instance migrates, from the place where stock Knex reads it. Options are merged as Knex merges
 * those of its methods: an option about folders replaces a source.
 */
export function migrationConfigOf({ knex }: Session, options: KnexMigrationOptions = {}): KnexMigrationConfig {
  const { config } = knex.migrate as unknown as { readonly config: MergedConfig }
  const { migrationSource, directory, sortDirsSeparately, loadExtensions, ...merged } = { ...config, ...options }
  const isAboutFolders =
    options.directory !== undefined || options.sortDirsSeparately !== undefined || options.loadExtensions !== undefined
  const reads = isKnexSource(migrationSource) ? migrationSource : null
  return {
    ...merged,
    source: isAboutFolders || reads !== null ? null : migrationSource,
    folders:
      isAboutFolders || reads === null
        ? { directory: directory ?? DEFAULT_DIRECTORY, sortDirsSeparately, loadExtensions }
        : {
            // A knexfile may contain a directory that is undefined, which replaces Knex's default.
            directory: reads.migrationsPaths.map((path) => path ?? DEFAULT_DIRECTORY),
            sortDirsSeparately: reads.sortDirsSeparately,
            loadExtensions: reads.loadExtensions,
          },
  }
}

const DEFAULT_DIRECTORY = './migrations'

type MergedConfig = Omit<KnexMigrationConfig, 'source' | 'folders'> &
  KnexFolders & { readonly migrationSource: Knex.MigrationSource<unknown> }

/** Knex's own source. It loads files with require() and import(), so it reads TypeScript only if Node does. */
interface KnexSource extends Omit<KnexFolders, 'directory'> {
  readonly migrationsPaths: readonly (string | null | undefined)[]
}

// Excludes a custom class that extends it.
function isKnexSource(source: object): source is KnexSource & Knex.MigrationSource<unknown> {
  return source.constructor.name === 'FsMigrations' && Array.isArray((source as Partial<KnexSource>).migrationsPaths)
}
