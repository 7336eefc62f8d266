import type { Knex } from 'knex'

import { claimDirectory } from './claim.ts'
import { loadPackage } from './load-package.ts'

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
  const { createPgConfig } = await loadPackage(
    () => import('@electric-sql/pglite/node-postgres'),
    '@electric-sql/pglite',
  )
  if (pglite !== undefined) {
    await pglite.waitReady
    return closable(createPgConfig(pglite as never), () => Promise.resolve())
  }
  const { PGlite } = await loadPackage(() => import('@electric-sql/pglite'), '@electric-sql/pglite')
  const { vector } = await loadPackage(() => import('@electric-sql/pglite-pgvector'), '@electric-sql/pglite-pgvector')
  const release = dataDir === undefined ? undefined : await claimDirectory(dataDir)
  const database = new PGlite({
    extensions: { vector },
    ...(dataDir === undefined ? {} : { dataDir }),
    ...(loadDataDir === undefined ? {} : { loadDataDir }),
  })
  try {
    // PGlite's adapter waits for it where nobody catches a failure, which would end the process.
    await database.waitReady
  } catch (error) {
    await release?.(Promise.resolve())
    throw error
  }
  return closable(createPgConfig(database), () => {
    const closed = database.close()
    return release?.(closed) ?? closed
  })
}

interface Closable {
  readonly connection: { end: () => void; emit(event: 'end'): boolean }
}

// PGlite's adapter leaves the instance to its caller: here it goes with the connection, once. Knex would use the
// configuration for its next connection too, were it not to say that it has expired.
function closable<Config extends Closable>(
  config: Config,
  close: () => Promise<void>,
): Config & { expirationChecker(): boolean } {
  let closing: Promise<void> | undefined
  config.connection.end = () => {
    closing ??= close().finally(() => config.connection.emit('end'))
  }
  return Object.assign(config, { expirationChecker: () => closing !== undefined })
}
