import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../core/errors.ts'
import { optionsParser, valueKind } from '../core/option-kinds.ts'
import { claimDirectory } from './claim.ts'
import { startEmpty, type StartOptions } from './empty-database.ts'
import { loadPackage } from './load-package.ts'

/** The part of a PGlite instance that is needed here; a type test holds it against the real one. */
export interface PGliteInstance {
  readonly waitReady: Promise<void>
  close(): Promise<void>
}

/** What {@link embeddedPgvector} may be told. */
export interface EmbeddedOptions {
  /**
   * The folder that keeps the database; without it, or with `memory://`, the database lives in memory and goes with its
   * connection.
   */
  readonly dataDir?: string | undefined
  /** A dumped data directory to start from, which saves initdb (PGlite's dumpDataDir). */
  readonly loadDataDir?: Blob | undefined
  /** An instance of your own, with the extension `vector`; it is not closed with Knex. */
  readonly pglite?: PGliteInstance | undefined
}

const isInstance = (value: unknown): boolean => typeof value === 'object' && value !== null && 'waitReady' in value

const parseEmbeddedOptions = optionsParser({
  dataDir: valueKind<string>((value) => typeof value === 'string', 'must be the path of a folder'),
  loadDataDir: valueKind<Blob>((value) => value instanceof Blob, 'must be what dumpDataDir returned'),
  pglite: valueKind<PGliteInstance>(isInstance, 'must be an instance of PGlite'),
})

/** The part of a Knex configuration that reaches the embedded database. */
export interface EmbeddedKnexConfig {
  readonly client: 'pg'
  readonly connection: () => Promise<Knex.StaticConnectionConfig>
  /** PGlite has one connection, and keeps it. */
  readonly pool: { readonly min: 1; readonly max: 1; readonly createTimeoutMillis: number }
  readonly acquireConnectionTimeout: number
}

// The first connection starts PostgreSQL, and makes a database where there is none: 4 seconds on a laptop, minutes on a
// small machine that does other things as well. Knex would give up after 30 seconds.
const START_MILLISECONDS = 180_000

/**
 * PostgreSQL with pgvector in this process, through Knex's ordinary `pg` client (PGlite: no server to install).
 *
 * It has one connection and one process at a time. `knex.destroy()` closes it.
 *
 * @example
 * const knex = Knex(embeddedPgvector({ dataDir: '.pgdata' }))
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, also where `dataDir` is no folder; on the first query:
 * EMBEDDED_NOT_INSTALLED without the packages of PGlite, EMBEDDED_IN_USE where another process has the folder open.
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

// As PGlite reads it, but for what only browsers have, and for an empty text, which is a setting that somebody forgot.
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
  const start = async (options: StartOptions | null): Promise<InstanceType<typeof PGlite>> => {
    const started = new PGlite({ extensions: { vector }, ...(dataDir === undefined ? {} : { dataDir }), ...options })
    // PGlite's adapter waits for it where nobody catches a failure, which would end the process.
    await started.waitReady
    return started
  }
  const given = loadDataDir === undefined ? null : { loadDataDir }
  const isNew = dataDir === undefined && given === null
  const database = await (isNew ? startEmpty(start) : start(given)).catch(async (error: unknown) => {
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
