import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../errors.ts'
import { claimDirectory } from './claim.ts'

/** The part of a PGlite instance that is needed here; a type test holds it against the real one. */
export interface PGliteInstance {
  readonly waitReady: Promise<void>
  close(): Promise<void>
}

/** What {@link embeddedPgvector} may be told. */
export interface EmbeddedOptions {
  /** The folder that keeps the database; without it, the database lives in memory and goes with its connection. */
  readonly dataDir?: string | undefined
  /** A dumped data directory to start from, which saves initdb (PGlite's dumpDataDir). */
  readonly loadDataDir?: Blob | undefined
  /** An instance of your own, with the extension `vector`; it is not closed with Knex. */
  readonly pglite?: PGliteInstance | undefined
}

/** The part of a Knex configuration that reaches the embedded database. */
export interface EmbeddedKnexConfig {
  readonly client: 'pg'
  readonly connection: () => Promise<Knex.StaticConnectionConfig>
  /** PGlite has one connection, and keeps it. */
  readonly pool: { readonly min: 1; readonly max: 1 }
}

/**
 * PostgreSQL with pgvector in this process, through Knex's ordinary `pg` client (PGlite: no server to install).
 *
 * It has one connection and one process at a time. `knex.destroy()` closes it.
 *
 * @example
 * const knex = Knex(embeddedPgvector({ dataDir: '.pgdata' }))
 *
 * @throws {PgvectorMigrationError} on the first query: EMBEDDED_NOT_INSTALLED without the packages of PGlite,
 * EMBEDDED_IN_USE where another process has the folder open.
 */
export function embeddedPgvector(options: EmbeddedOptions = {}): EmbeddedKnexConfig {
  return { client: 'pg', connection: () => connect(options), pool: { min: 1, max: 1 } }
}

async function connect({ dataDir, loadDataDir, pglite }: EmbeddedOptions): Promise<Knex.StaticConnectionConfig> {
  const { createPgConfig } = await load(() => import('@electric-sql/pglite/node-postgres'), '@electric-sql/pglite')
  if (pglite !== undefined) return createPgConfig(pglite as never)
  const { PGlite } = await load(() => import('@electric-sql/pglite'), '@electric-sql/pglite')
  const { vector } = await load(() => import('@electric-sql/pglite-pgvector'), '@electric-sql/pglite-pgvector')
  const release = dataDir === undefined ? undefined : await claimDirectory(dataDir)
  const database = new PGlite({
    extensions: { vector },
    ...(dataDir === undefined ? {} : { dataDir }),
    ...(loadDataDir === undefined ? {} : { loadDataDir }),
  })
  const config = createPgConfig(database)
  // PGlite's adapter leaves the instance to its caller. Here nobody else has it, so it goes with the connection.
  config.connection.end = () => {
    void database
      .close()
      .finally(() => release?.())
      .finally(() => config.connection.emit('end'))
  }
  return config
}

async function load<Module>(importIt: () => Promise<Module>, missing: string): Promise<Module> {
  try {
    return await importIt()
  } catch (error) {
    if (!/^(ERR_)?MODULE_NOT_FOUND$/.test(String((error as { code?: unknown }).code))) throw error
    throw new PgvectorMigrationError('EMBEDDED_NOT_INSTALLED', { missing }, { cause: error })
  }
}
