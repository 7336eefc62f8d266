import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

import { PGlite } from '@electric-sql/pglite'

import { startEmpty, type StartOptions } from '../src/embedded/empty-database.ts'
import { emptyDatabase } from './support/embedded-dump.ts'
import { removeTemporaryFolders, temporaryFolder } from './support/temporary.ts'

const started: PGlite[] = []

afterEach(async () => {
  await Promise.all(started.splice(0).map((database) => database.close()))
  await removeTemporaryFolders()
})

/** Starts PGlite as is asked, but for a new database, which is loaded as well: that takes less time. */
function starter(): { readonly start: (options: StartOptions) => Promise<PGlite>; readonly asked: string[] } {
  const asked: string[] = []
  const start = async (options: StartOptions): Promise<PGlite> => {
    const isKept = 'loadDataDir' in options
    asked.push(isKept ? 'kept' : 'new')
    const database = new PGlite(isKept ? options : { loadDataDir: await emptyDatabase() })
    await database.waitReady
    started.push(database)
    return database
  }
  return { start, asked }
}

describe('an empty database in memory', () => {
  test('is made once, and starts from what was kept of that one', async () => {
    const file = join(await temporaryFolder(), 'cache', 'empty.tar.gz')
    const { start, asked } = starter()
    const first = await startEmpty(start, file)
    await first.exec('create table documents (id int)')
    const second = await startEmpty(start, file)
    expect(asked).toEqual(['new', 'kept'])
    expect((await second.query(`select to_regclass('documents') as name`)).rows).toEqual([{ name: null }])
  })

  test('is made anew where what was kept is damaged', async () => {
    const file = join(await temporaryFolder(), 'empty.tar.gz')
    const { start, asked } = starter()
    await startEmpty(start, file)
    await writeFile(file, (await readFile(file)).subarray(0, 1_000_000))
    await startEmpty(start, file)
    await startEmpty(start, file)
    expect(asked).toEqual(['new', 'new', 'kept'])
  })

  test('is made anew where PGlite does not take what was kept', async () => {
    const file = join(await temporaryFolder(), 'empty.tar.gz')
    await writeFile(file, gzipSync('something else'))
    const { start, asked } = starter()
    await startEmpty(start, file)
    await startEmpty(start, file)
    expect(asked).toEqual(['kept', 'new', 'kept'])
  })

  test('is made each time where nothing can be kept', async () => {
    const file = join(await temporaryFolder(), 'no folder')
    await writeFile(file, '')
    const { start, asked } = starter()
    for (const place of [join(file, 'empty.tar.gz'), null]) await startEmpty(start, place)
    expect(asked).toEqual(['new', 'new'])
  })
})
