import { compileOnUse } from './compile-on-use.ts'
import { startEmpty } from './empty-database.ts'
import { embeddedPgvector, type EmbeddedKnexConfig } from './knex-config.ts'
import { loadPackage } from './load-package.ts'

/** A database in memory for trial runs. */
export interface Scratch {
  /** Without the timeout for a cold start, because it has already started. */
  readonly config: Omit<EmbeddedKnexConfig, 'acquireConnectionTimeout'>
  readonly close: () => Promise<void>
}

/** The extensions in PGlite that applications use. pgvector has its own package. */
const contrib = [
  'bloom',
  'btree_gin',
  'btree_gist',
  'citext',
  'cube',
  'dict_int',
  'dict_xsyn',
  'earthdistance',
  'fuzzystrmatch',
  'hstore',
  'intarray',
  'isn',
  'lo',
  'ltree',
  'moddatetime',
  'pg_stat_statements',
  'pg_trgm',
  'pgcrypto',
  'seg',
  'tablefunc',
  'tcn',
  'unaccent',
  'uuid_ossp',
] as const

/**
 * Opens an empty database in memory. pgvector and PGlite's extensions are available, and none is enabled yet.
 *
 * @throws {PgvectorMigrationError} EMBEDDED_NOT_INSTALLED without the packages of PGlite.
 */
export async function openScratch(): Promise<Scratch> {
  const { PGlite } = await loadPackage(() => import('@electric-sql/pglite'), '@electric-sql/pglite')
  const { vector } = await loadPackage(() => import('@electric-sql/pglite-pgvector'), '@electric-sql/pglite-pgvector')
  const extensions = { ...((await loadContrib()) as Record<string, typeof vector>), vector, compileOnUse }
  const database = await startEmpty(async (options) => {
    const started = new PGlite({ extensions, ...options })
    await started.waitReady
    return started
  })
  const { acquireConnectionTimeout: _started, ...config } = embeddedPgvector({ pglite: database })
  return { config, close: () => database.close() }
}

// Which of them exist depends on the release of PGlite.
async function loadContrib(): Promise<Readonly<Record<string, unknown>>> {
  const loaded = await Promise.allSettled(
    contrib.map(async (name) => {
      const module = (await import(`@electric-sql/pglite/contrib/${name}`)) as Readonly<Record<string, unknown>>
      return [name, module[name]] as const
    }),
  )
  return Object.fromEntries(loaded.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])))
}
