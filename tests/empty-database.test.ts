import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

import { PGlite } from '@electric-sql/pglite'

import { startEmpty, startInFolder, type StartOptions } from '../src/embedded/empty-database.ts'
import { emptyDatabase } from './support/embedded-dump.ts'
import { succeed } from './support/run.ts'
import { removeTemporaryFolders, temporaryFolder } from './support/temporary.ts'

const started: PGlite[] = []

afterEach(async () => {
  const open = started.splice(0).filter(({ closed }) => !closed)
  await Promise.all(open.map((database) => database.close()))
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

  test('is created again if the saved copy is damaged', async () => {
    const file = join(await temporaryFolder(), 'empty.tar.gz')
    const { start, asked } = starter()
    await startEmpty(start, file)
    await writeFile(file, (await readFile(file)).subarray(0, 1_000_000))
    await startEmpty(start, file)
    await startEmpty(start, file)
    expect(asked).toEqual(['new', 'new', 'kept'])
  })

  test('is created again if PGlite rejects the saved copy', async () => {
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

describe('the database of a folder', () => {
  const inFolder = (dataDir: string) => {
    const asked: string[] = []
    const start = async (options: StartOptions | null): Promise<PGlite> => {
      asked.push(options === null ? 'as it is' : 'loaded')
      const database = new PGlite({ dataDir, ...options })
      await database.waitReady
      started.push(database)
      return database
    }
    return { start, asked }
  }

  test('is loaded from what was kept, and opened as it is the next time', async () => {
    const folder = await temporaryFolder()
    const [file, dataDir] = [join(folder, 'empty.tar.gz'), join(folder, 'database')]
    await writeFile(file, gzipSync(Buffer.from(await (await emptyDatabase()).arrayBuffer()), { level: 1 }))
    const [memory, disk] = [starter(), inFolder(dataDir)]
    const first = await startInFolder(dataDir, disk.start, memory.start, file)
    await first.exec('create table documents (id int)')
    await first.close()
    const second = await startInFolder(dataDir, disk.start, memory.start, file)
    expect((await second.query('select from documents')).rows).toEqual([])
    expect([memory.asked, disk.asked]).toEqual([[], ['loaded', 'as it is']])
  })

  test('is loaded again where what was kept is no database, or loading it was interrupted', async () => {
    const folder = await temporaryFolder()
    const [file, dataDir] = [join(folder, 'empty.tar.gz'), join(folder, 'database')]
    const broken = await emptyDatabase()
    const cut = Buffer.from(await broken.slice(0, 3_000_000).arrayBuffer())
    await writeFile(
      file,
      gzipSync(Buffer.concat([cut.subarray(0, cut.length - (cut.length % 512)), Buffer.alloc(1024)])),
    )
    const [memory, disk] = [starter(), inFolder(dataDir)]
    const database = await startInFolder(dataDir, disk.start, memory.start, file)
    expect((await database.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    expect(disk.asked).toEqual(['loaded', 'loaded'])
  })

  test('is known by a file that is written last', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'empty.tar'), Buffer.from(await (await emptyDatabase()).arrayBuffer()))
    const names = await succeed('tar', ['-tPf', 'empty.tar'], { cwd: folder })
    expect(names.trim().split('\n').at(-1)).toBe('/PG_VERSION')
  })
})
