import { openAsBlob } from 'node:fs'
import { mkdir, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'

// An initdb takes seconds, and opening its dump a fraction of one; the version keeps a dump from another release out.
const { devDependencies } = require('../../package.json') as { devDependencies: Record<string, string> }
const version = devDependencies['@electric-sql/pglite']
const directory = join(__dirname, '../../node_modules/.cache/knex-pgvector-tests')
// Not compressed: the tests load it hundreds of times.
const file = join(directory, `pglite-${version}-small-log.tar`)

/** Makes the dump that {@link emptyDatabase} opens, once a machine. */
export async function dumpEmptyDatabase(): Promise<void> {
  if (await exists(file)) return
  const database = new PGlite({ extensions: { vector }, initDbStartParams: ['--wal-segsize=1'] })
  await database.waitReady
  const dump = await database.dumpDataDir('none')
  await database.close()
  await mkdir(directory, { recursive: true })
  await writeFile(`${file}.${process.pid}`, Buffer.from(await dump.arrayBuffer()))
  await rename(`${file}.${process.pid}`, file)
}

/** An empty database to give to PGlite as loadDataDir. */
export function emptyDatabase(): Promise<Blob> {
  return openAsBlob(file, { type: 'application/x-tar' })
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
