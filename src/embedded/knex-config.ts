import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../core/errors.ts'
import { optionsParser, valueKind } from '../core/option-kinds.ts'
import { claimDirectory } from './claim.ts'
import { startEmpty, startInFolder, type StartOptions } from './empty-database.ts'
import { loadPackage } from './load-package.ts'

/** The part of a PGlite instance that is needed here. A type test compares it with the real one. */
export interface PGliteInstance {
  readonly waitReady: Promise<void>
  close(): Promise<void>
}

/** Options of {@link embeddedPgvector}. */
export interface EmbeddedOptions {
  /**
   * The folder of the database. Without it, or with `memory://`, the database is in memory and is lost when its
   * connection closes.
   */
  readonly dataDir?: string | undefined
  /** A dumped data directory to start from, which avoids initdb (PGlite's dumpDataDir). */
  readonly loadDataDir?: Blob | undefined
  /** Your own instance, with the extension `vector`. It is not closed with Knex. */
  readonly pglite?: PGliteInstance | undefined
}

const isInstance = (value: unknown): boolean => typeof value === 'object' && value !== null && 'waitReady' in value

const parseEmbeddedOptions = optionsParser({
  dataDir: valueKind<string>((value) => typeof value === 'string', 'must be the path of a folder'),
  loadDataDir: valueKind<Blob>((value) => value instanceof Blob, 'must be what dumpDataDir returned'),
  pglite: valueKind<PGliteInstance>(isInstance, 'must be an instance of PGlite'),
})

/** The part of a Knex configuration that connects to the embedded database. */
export interface EmbeddedKnexConfig {
  readonly client: 'pg'
  readonly connection: () => Promise<Knex.StaticConnectionConfig>
  /** PGlite has a single connection, which stays open. */
  readonly pool: { readonly min: 1; readonly max: 1; readonly createTimeoutMillis: number }
  readonly acquireConnectionTimeout: number
}

// The first connection starts PostgreSQL, and creates a database if there is none. This takes 4 seconds on a laptop,
// and minutes on a small, busy machine. Knex would give up after 30 seconds.
const START_MILLISECONDS = 180_000

/**
 * Configures PostgreSQL with pgvector inside this process, with Knex's ordinary `pg` client. It runs on PGlite, so
 * there is no server to install.
 *
 * It has one connection, and one process can open it at a time. `knex.destroy()` closes it.
 *
 * @example
 * const knex = Knex(embeddedPgvector({ dataDir: '.pgdata' }))
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, also if `dataDir` is not a folder. On the first query:
 * EMBEDDED_NOT_INSTALLED without the packages of PGlite, EMBEDDED_IN_USE if another process has the folder open.
 */
export function embeddedPgvector(options: EmbeddedOptions = {}): EmbeddedKnexConfig {
  const given = parseEmbeddedOptions(options)
  const dataDir = folderIn(given.dataDir)
  return {
    client: 'pg',
    connection: () => connect({ ...given, dataDir }),
    pool: { min: 1, max: 1, createTimeoutMillis: START_MILLISECONDS },
    acquireConnectionTimeout: START_MILLISECONDS,
  }
}

// Reads it as PGlite does, except for browser-only forms and an empty text, which is likely a missing setting.
function folderIn(dataDir: string | undefined): string | undefined {
  if (dataDir === undefined || dataDir.startsWith('memory://')) return undefined
  const folder = dataDir.replace(/^file:\/\//, '')
  if (folder !== '' && !/^[a-z\d-]+:\/\//.test(folder)) return folder
  const problem = `dataDir: must be a folder, or 'memory://': '${dataDir}'`
  throw new PgvectorMigrationError('INVALID_OPTIONS', { problems: [problem] })
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
  const startAt = (place: { readonly dataDir?: string }) => async (options: StartOptions | null) => {
    const started = new PGlite({ extensions: { vector }, ...place, ...options })
    // PGlite's adapter also waits for it, but without handling a failure, which would end the process.
    await started.waitReady
    return started
  }
  const start = (): Promise<InstanceType<typeof PGlite>> => {
    const place = dataDir === undefined ? {} : { dataDir }
    if (loadDataDir !== undefined) return startAt(place)({ loadDataDir })
    return dataDir === undefined ? startEmpty(startAt({})) : startInFolder(dataDir, startAt({ dataDir }), startAt({}))
  }
  const database = await start().catch(async (error: unknown) => {
    await release?.(Promise.resolve())
    throw error
  })
  return closable(createPgConfig(database), () => {
    const closed = database.close()
    return release?.(closed) ?? closed
  })
}

interface Closable {
  readonly connection: { end: () => void; emit(event: 'end'): boolean }
}

// PGlite's adapter leaves closing the instance to its caller. Here it closes with the connection, once. Knex would
// reuse the configuration for its next connection, so the configuration reports that it has expired.
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
