import { cpSync } from 'node:fs'
import { join } from 'node:path'

import Knex from 'knex'

import { embeddedPgvector } from '../../src/embedded.ts'
import { emptyDatabase } from './embedded-dump.ts'
import { onceARun } from './once-a-run.ts'
import { temporaryFolder } from './temporary.ts'

/** A folder with an empty embedded database, which no process has open: a copy of one that is made once a run. */
export async function folderWithDatabase(): Promise<string> {
  const original = await onceARun('database', make)
  const dataDir = join(await temporaryFolder(), 'database')
  // fs.promises.cp takes several times as long for so many files.
  cpSync(join(original, 'database'), dataDir, { recursive: true })
  return dataDir
}

async function make(folder: string): Promise<void> {
  const knex = Knex(embeddedPgvector({ dataDir: join(folder, 'database'), loadDataDir: await emptyDatabase() }))
  await knex.raw('select')
  await knex.destroy()
}
