import { openAsBlob } from 'node:fs'
import { copyFile, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'

import { keptFile, startEmpty } from '../../src/embedded/empty-database.ts'

// An initdb takes seconds: the tests, the processes that they start and the applications that they install share one.
const kept = keptFile() ?? ''
const directory = join(__dirname, '../../node_modules/.cache/knex-pgvector-tests')
// Not compressed: the tests load it hundreds of times. The release of PGlite is in its name.
const file = join(directory, basename(kept, '.gz'))

/** Makes the empty database that the library keeps, and from it the dump that {@link emptyDatabase} opens, once a machine. */
export async function dumpEmptyDatabase(): Promise<void> {
  if ((await exists(file)) && (await exists(kept))) return
  const { PGlite } = await import('@electric-sql/pglite')
  const database = await startEmpty(async (options) => {
    const started = new PGlite(options)
    await started.waitReady
    return started
  }, kept)
  await database.close()
  await mkdir(directory, { recursive: true })
  await writeFile(`${file}.${process.pid}`, await promisify(gunzip)(await readFile(kept)))
  await rename(`${file}.${process.pid}`, file)
}

/** An empty database to give to PGlite as loadDataDir. */
export function emptyDatabase(): Promise<Blob> {
  return openAsBlob(file, { type: 'application/x-tar' })
}

/** Gives an application what its first start would keep; npm leaves it alone. */
export async function keepEmptyDatabase(app: string): Promise<void> {
  const cache = join(app, 'node_modules/.cache/knex-pgvector')
  await mkdir(cache, { recursive: true })
  await copyFile(kept, join(cache, basename(kept)))
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
