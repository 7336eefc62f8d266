import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'

import { withVersionLast } from './tar.ts'

/** The part of a PGlite instance that is needed here. */
interface Dumpable {
  dumpDataDir(compression: 'none'): Promise<Blob>
  close(): Promise<void>
}

/** Tells PGlite to load a saved database, or to create one. */
export type StartOptions = { readonly loadDataDir: Blob } | { readonly initDbStartParams: string[] }

// PostgreSQL's default of 16 MB per write-ahead log file would be larger than the rest of an empty database.
const NEW: StartOptions = { initDbStartParams: ['--wal-segsize=1'] }

/**
 * Starts an empty database in memory.
 *
 * PGlite takes seconds to create a database, and a fraction of that to load one. The first is saved in the cache folder
 * of node_modules, as build tools do, and later ones, also in other processes, start from it. If it cannot be saved,
 * each one is created.
 */
export async function startEmpty<Database extends Dumpable>(
  start: (options: StartOptions) => Promise<Database>,
  file: string | null = keptFile(),
): Promise<Database> {
  const kept = file === null ? null : await read(file)
  if (kept !== null) {
    // If this version of PGlite rejects it, a new one is created.
    const database = await start({ loadDataDir: kept }).catch(() => null)
    if (database !== null) return database
  }
  const database = await start(NEW)
  if (file !== null) await keep(file, await dumpOf(database))
  return database
}

/**
 * Starts the database in a folder, and first loads an empty one if the folder has none.
 *
 * PG_VERSION, which marks a database, is written last. If a process is killed before that, the next one loads it again.
 */
export async function startInFolder<Database extends Dumpable>(
  folder: string,
  start: (options: StartOptions | null) => Promise<Database>,
  startInMemory: (options: StartOptions) => Promise<Database>,
  file: string | null = keptFile(),
): Promise<Database> {
  const version = join(folder, 'PG_VERSION')
  if (existsSync(version)) return start(null)
  const kept = file === null ? null : await read(file)
  if (kept !== null) {
    const database = await start({ loadDataDir: kept }).catch(() => null)
    if (database !== null) return database
    await rm(version, { force: true })
  }
  const database = await startInMemory(NEW)
  const dump = await dumpOf(database)
  await database.close()
  if (file !== null) await keep(file, dump)
  return start({ loadDataDir: dump })
}

/** The file for the empty database of this release of PGlite. Null if PGlite is not in node_modules, or in a bundle. */
export function keptFile(): string | null {
  try {
    const entry = require.resolve('@electric-sql/pglite')
    const [root, modules] = /^(.*[\\/]node_modules)[\\/]@electric-sql[\\/]pglite(?=[\\/])/.exec(entry) ?? []
    if (root === undefined || modules === undefined) return null
    const { version } = require(join(root, 'package.json')) as { readonly version: string }
    return join(modules, '.cache', 'knex-pgvector', `pglite-${version}-empty.tar.gz`)
  } catch {
    return null
  }
}

async function dumpOf(database: Dumpable): Promise<Blob> {
  const dump = await database.dumpDataDir('none')
  return new Blob([withVersionLast(Buffer.from(await dump.arrayBuffer()))], { type: dump.type })
}

// The checksum at the end of a compressed file reveals damage, which PGlite would not survive.
async function read(file: string): Promise<Blob | null> {
  try {
    return new Blob([await promisify(gunzip)(await readFile(file))], { type: 'application/x-tar' })
  } catch {
    return null
  }
}

// Written completely or not at all, because other processes may read it. It only saves time, so a folder that cannot be
// written is no problem.
async function keep(file: string, dump: Blob): Promise<void> {
  const written = `${file}.${randomUUID()}`
  try {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(written, await promisify(gzip)(await dump.arrayBuffer(), { level: 1 }))
    await rename(written, file)
  } catch {
    await rm(written, { force: true }).catch(() => undefined)
  }
}
