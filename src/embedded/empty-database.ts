import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'

/** The part of a PGlite instance that is needed here. */
interface Dumpable {
  dumpDataDir(compression: 'none'): Promise<Blob>
}

/** What PGlite is to be told: to load a database that was kept, or to make one. */
export type StartOptions = { readonly loadDataDir: Blob } | { readonly initDbStartParams: string[] }

// Files of 16 MB for the write-ahead log, as PostgreSQL has them by default, are more than the rest of an empty database.
const NEW: StartOptions = { initDbStartParams: ['--wal-segsize=1'] }

/**
 * Starts an empty database in memory.
 *
 * To make one takes PGlite seconds, and to load one a fraction of that: the first is kept in the cache folder of
 * node_modules, as build tools do, and later ones start from it, in other processes too. Where nothing can be kept, each
 * one is made.
 */
export async function startEmpty<Database extends Dumpable>(
  start: (options: StartOptions) => Promise<Database>,
  file: string | null = placeOf(),
): Promise<Database> {
  const kept = file === null ? null : await read(file)
  if (kept !== null) {
    // Where this PGlite does not take it, it is made anew.
    const database = await start({ loadDataDir: kept }).catch(() => null)
    if (database !== null) return database
  }
  const database = await start(NEW)
  if (file !== null) await keep(file, await database.dumpDataDir('none'))
  return database
}

// Each release of PGlite has its own. Null where it is in no node_modules, or in a bundle.
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

// The sum at the end of a compressed file tells a damaged one, which PGlite would not survive.
async function read(file: string): Promise<Blob | null> {
  try {
    return new Blob([await promisify(gunzip)(await readFile(file))], { type: 'application/x-tar' })
  } catch {
    return null
  }
}

// Whole or not at all, since other processes may read it. It only saves time: a folder that cannot be written is fine.
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
