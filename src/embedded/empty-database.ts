import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'

/** The part of a PGlite instance that is needed here. */
interface Dumpable {
  dumpDataDir(compression: 'none'): Promise<Blob>
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
  file: string | null = placeOf(),
): Promise<Database> {
  const kept = file === null ? null : await read(file)
  if (kept !== null) {
    // If this version of PGlite rejects it, a new one is created.
    const database = await start({ loadDataDir: kept }).catch(() => null)
    if (database !== null) return database
  }
  const database = await start(NEW)
  if (file !== null) await keep(file, await database.dumpDataDir('none'))
  return database
}

// Each release of PGlite has its own. Null if PGlite is not in node_modules, or in a bundle.
function placeOf(): string | null {
  try {
    const entry = require.resolve('@electric-sql/pglite')
    const [root, modules] = /^(.*[\\/]node_modules)[\\/]@electric-sql[\\/]pglite(?=[\\/])/.exec(entry) ?? []
    if (root === undefined || modules === undefined) return null
    const { version } = require(join(root, 'package.json')) as { readonly version: string }
    return join(modules, '.cache', 'knex-pgvector', `pglite-${version}-small-log.tar.gz`)
  } catch {
    return null
  }
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
