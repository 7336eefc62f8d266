import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'

import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'
import Knex, { type Knex as KnexInstance } from 'knex'

import { embeddedPgvector, type EmbeddedOptions } from '../src/embedded.ts'
import { dropPgvector, ensurePgvector, findDependents, inspectPgvector, verifyPgvector } from '../src/index.ts'
import { emptyDatabase } from './support/embedded-dump.ts'
import { folderWithDatabase } from './support/empty-folder.ts'
import { expectError } from './support/expect-error.ts'
import { shortLived } from './support/short-lived.ts'
import { removeTemporaryFolders, temporaryFolder } from './support/temporary.ts'

const opened: KnexInstance[] = []
const holders: Holder[] = []

afterEach(async () => {
  await Promise.all(opened.splice(0).map((knex) => knex.destroy()))
  for (const holder of holders.splice(0)) holder.kill('SIGKILL')
  await removeTemporaryFolders()
})

describe('the embedded database', () => {
  test('keeps what is written to its folder for the next run', async () => {
    const dataDir = join(await temporaryFolder(), 'database')
    const first = open({ dataDir, loadDataDir: await emptyDatabase() })
    await ensurePgvector(first, { logger: false })
    await first.raw(`create table documents as select '[1,2,3]'::vector(3) as embedding`)
    await first.destroy()

    const second = open({ dataDir })
    expect(await ensurePgvector(second, { logger: false })).toMatchObject({ status: 'unchanged' })
    expect(await second('documents').select('embedding')).toEqual([{ embedding: '[1,2,3]' }])
  })

  test('makes the folder, and its parents, where there is none', async () => {
    const dataDir = join(await temporaryFolder(), 'var', 'database')
    const knex = open({ dataDir, loadDataDir: await emptyDatabase() })
    await knex.raw('select')
    expect(existsSync(join(dataDir, 'PG_VERSION'))).toBe(true)
  })

  test('lives in memory without a folder, each one alone, and goes with its connection', async () => {
    const [first, second] = [open({ loadDataDir: await emptyDatabase() }), open({ loadDataDir: await emptyDatabase() })]
    await first.schema.createTable('documents', (table) => table.increments())
    expect(await first.schema.hasTable('documents')).toBe(true)
    expect(await second.schema.hasTable('documents')).toBe(false)
  })

  test('starts without a dump, with pgvector ready to be enabled', async () => {
    const knex = open({})
    expect(await ensurePgvector(knex, { logger: false })).toMatchObject({ status: 'created', provider: 'pglite' })
  })

  test('lives in memory with memory://, as PGlite has it, and leaves no file', async () => {
    const knex = open({ dataDir: 'memory://', loadDataDir: await emptyDatabase() })
    await knex.raw('select')
    expect([existsSync('memory:'), existsSync('memory:.pid')]).toEqual([false, false])
  })

  test('accepts the URL of a folder', async () => {
    const dataDir = join(await temporaryFolder(), 'database')
    await open({ dataDir: `file://${dataDir}`, loadDataDir: await emptyDatabase() }).raw('select')
    expect(existsSync(join(dataDir, 'PG_VERSION'))).toBe(true)
    await expectError('EMBEDDED_IN_USE', () => open({ dataDir }).raw('select'))
  })

  test.each(['', 'file://', 'idb://database', 'opfs-ahp://database'])('refuses a folder called %j', async (dataDir) => {
    const { details } = await expectError('INVALID_OPTIONS', () => Promise.resolve(embeddedPgvector({ dataDir })))
    expect(details.problems).toEqual([`dataDir: must be a folder, or 'memory://': '${dataDir}'`])
  })

  test('may take two minutes to start', async () => {
    const pglite = new PGlite({ extensions: { vector }, loadDataDir: await emptyDatabase() })
    await pglite.waitReady
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] })
    try {
      const waitReady = new Promise<void>((resolve) => {
        setTimeout(resolve, 120_000)
      })
      const answer = open({ pglite: slowly(pglite, waitReady) })
        .raw<Rows>('select 1 as one')
        .catch((error: unknown) => error)
      await jest.advanceTimersByTimeAsync(121_000)
      expect(await answer).toMatchObject({ rows: [{ one: 1 }] })
    } finally {
      jest.useRealTimers()
    }
    await pglite.close()
  })

  test('says on the first query that the folder holds no database it can open', async () => {
    const dataDir = join(await temporaryFolder(), 'database')
    await mkdir(dataDir)
    await writeFile(join(dataDir, 'PG_VERSION'), 'something else\n')
    await expect(open({ dataDir }).raw('select')).rejects.toThrow('PGlite failed to initialize')
    expect(existsSync(`${dataDir}.pid`)).toBe(false)
  })
})

describe('the folder of the embedded database', () => {
  const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8)

  test.each(['made', 'found'])('is for this user alone where it is %s, as its claim is', async (how) => {
    const dataDir = join(await temporaryFolder(), 'database')
    if (how === 'found') await mkdir(dataDir, { mode: 0o755 })
    await open({ dataDir, loadDataDir: await emptyDatabase() }).raw('select')
    expect([await modeOf(dataDir), await modeOf(`${dataDir}.pid`)]).toEqual(['700', '600'])
  })

  test('is not a link to another one', async () => {
    const folder = await temporaryFolder()
    await mkdir(join(folder, 'elsewhere'))
    await symlink(join(folder, 'elsewhere'), join(folder, 'database'))
    const { details } = await expectError('INVALID_OPTIONS', () =>
      open({ dataDir: join(folder, 'database') }).raw('select'),
    )
    expect(details.problems).toEqual([expect.stringContaining('dataDir: is a symbolic link')])
    expect(await readdir(join(folder, 'elsewhere'))).toEqual([])
  })

  test('is claimed without writing through a symbolic link of that name', async () => {
    const folder = await temporaryFolder()
    const dataDir = join(folder, 'database')
    await writeFile(join(folder, 'precious'), `${process.ppid}\n`)
    await symlink(join(folder, 'precious'), `${dataDir}.pid`)
    await open({ dataDir, loadDataDir: await emptyDatabase() }).raw('select')
    expect(await readFile(join(folder, 'precious'), 'utf8')).toBe(`${process.ppid}\n`)
    expect((await lstat(`${dataDir}.pid`)).isFile()).toBe(true)
    expect((await readdir(folder)).toSorted()).toEqual(['database', 'database.pid', 'precious'])
  })

  test('is refused to a second process, which sees who has it', async () => {
    const { dataDir, processId } = await heldFolder()
    const error = await expectError('EMBEDDED_IN_USE', () => open({ dataDir }).raw('select'))
    expect(error.message).toBe(`The embedded database in ${dataDir} is in use by process ${processId}`)
    expect(error.details).toEqual({ directory: dataDir, processId })
  })

  test('is refused to a second Knex of the same process', async () => {
    const dataDir = join(await temporaryFolder(), 'database')
    await open({ dataDir, loadDataDir: await emptyDatabase() }).raw('select')
    const error = await expectError('EMBEDDED_IN_USE', () => open({ dataDir }).raw('select'))
    expect(error.details.processId).toBe(process.pid)
  })

  test('is free as soon as the process that had it has closed it', async () => {
    const { dataDir, holder } = await heldFolder()
    holder.stdin.end()
    await once(holder, 'exit')
    expect(existsSync(`${dataDir}.pid`)).toBe(false)
    expect(await open({ dataDir })('visits')).toHaveLength(1)
  })

  test('is taken over from a killed process, with everything that it wrote', async () => {
    const { dataDir, processId, holder } = await heldFolder()
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    expect(existsSync(`${dataDir}.pid`)).toBe(true)
    expect(await open({ dataDir })('visits')).toEqual([{ process_id: processId }])
  })

  test('is taken over where the claim in it cannot be read', async () => {
    const dataDir = join(await temporaryFolder(), 'database')
    await writeFile(`${dataDir}.pid`, '')
    const knex = open({ dataDir, loadDataDir: await emptyDatabase() })
    await expect(knex.raw('select')).resolves.toBeDefined()
  })

  test('is taken over where the process that left it behind gave its number to another one', async () => {
    const dataDir = await folderWithDatabase()
    await writeFile(`${dataDir}.pid`, `${process.ppid}\nbefore the last boot\n`)
    await expect(open({ dataDir }).raw('select')).resolves.toBeDefined()
    expect((await readFile(`${dataDir}.pid`, 'utf8')).split('\n')[0]).toBe(String(process.pid))
  })

  test('is taken over from an earlier process that had the same number, as in a container', async () => {
    const dataDir = await folderWithDatabase()
    const claim = `${process.pid}\nbefore the last boot\n`
    await writeFile(`${dataDir}.pid`, claim)
    await expect(open({ dataDir }).raw('select')).resolves.toBeDefined()
    expect(await readFile(`${dataDir}.pid`, 'utf8')).not.toBe(claim)
  })

  test('is refused if the start time of the process that has it is unknown', async () => {
    const dataDir = await folderWithDatabase()
    await writeFile(`${dataDir}.pid`, String(process.ppid))
    const { details } = await expectError('EMBEDDED_IN_USE', () => open({ dataDir }).raw('select'))
    expect(details.processId).toBe(process.ppid)
  })

  test('goes to one of two processes that want it at the same moment', async () => {
    const dataDir = await folderWithDatabase()
    await writeFile(`${dataDir}.pid`, String(await deadProcess()))
    const outcomes = await Promise.all([startHolder(dataDir), startHolder(dataDir)].map(openOrExit))
    expect(outcomes.toSorted()).toEqual(['exit 1', 'open'])
  })
})

describe('closing the embedded database', () => {
  test('lets the process end by itself after knex.destroy()', async () => {
    const { holder } = await heldFolder()
    holder.stdin.end()
    const [code, signal] = await once(holder, 'exit')
    expect({ code, signal }).toEqual({ code: 0, signal: null })
  })

  test('is over when knex.destroy() resolves, so that it can be opened again at once', async () => {
    const dataDir = await folderWithDatabase()
    for (const round of [1, 2, 3]) {
      const knex = open({ dataDir })
      await knex.raw('create table if not exists rounds (round integer)')
      await knex('rounds').insert({ round })
      await knex.destroy()
      expect(existsSync(`${dataDir}.pid`)).toBe(false)
    }
    expect(await open({ dataDir })('rounds')).toHaveLength(3)
  })

  test('is over before Knex opens another one in place of a connection that broke', async () => {
    const dataDir = await folderWithDatabase()
    const knex = open({ dataDir })
    await knex.raw('create table documents (id integer)')
    await breakConnection(knex)
    await knex('documents').insert({ id: 1 })
    await knex.destroy()
    expect(await open({ dataDir })('documents')).toHaveLength(1)
  })

  test('can be followed by knex.initialize(), which opens it again', async () => {
    const knex = open({ dataDir: await folderWithDatabase() })
    await knex.raw('create table documents (id integer)')
    await knex.destroy()
    knex.initialize()
    expect(await knex('documents')).toEqual([])
  })

  test('leaves an instance of the user open', async () => {
    const pglite = new PGlite({ extensions: { vector }, loadDataDir: await emptyDatabase() })
    const knex = open({ pglite })
    await ensurePgvector(knex, { logger: false })
    await knex.destroy()
    const { rows } = await pglite.query(`select '[1,2,3]'::vector <-> '[1,2,4]' as distance`)
    expect(rows).toEqual([{ distance: 1 }])
    await pglite.close()
  })
})

describe('an instance of the user', () => {
  test('that lacks the extension gets the remedy for PGlite', async () => {
    const pglite = new PGlite({ loadDataDir: await emptyDatabase() })
    const error = await expectError('PGVECTOR_NOT_AVAILABLE', () => ensurePgvector(open({ pglite }), { logger: false }))
    expect(error.hint).toContain('new PGlite({ extensions: { vector } })')
    await pglite.close()
  })

  test('is distinguished from something less by the compiler', () => {
    // The real PGlite fits: the tests above pass one.
    // @ts-expect-error close() is missing
    const config = embeddedPgvector({ pglite: { waitReady: Promise.resolve() } })
    expect(config.client).toBe('pg')
  })
})

describe('the one connection of the embedded database', () => {
  test('serves queries that come at the same moment one after the other', async () => {
    const knex = await openBriefly()
    const numbers = Array.from({ length: 50 }, (_, index) => index)
    const answers = await Promise.all(numbers.map((number) => knex.raw<Rows>('select ?::int as number', [number])))
    expect(answers.map(({ rows }) => rows[0])).toEqual(numbers.map((number) => ({ number })))
  })

  test('is enough for pgvector to be enabled by many callers at once', async () => {
    const knex = await openBriefly()
    const results = await Promise.all(Array.from({ length: 8 }, () => ensurePgvector(knex, { logger: false })))
    expect(results.filter(({ status }) => status === 'created')).toHaveLength(1)
    expect(results.filter(({ status }) => status === 'unchanged')).toHaveLength(7)
  })

  test('is enough for every function inside a transaction', async () => {
    const knex = await openBriefly()
    const result = await knex.transaction(async (trx) => {
      await ensurePgvector(trx, { logger: false })
      await verifyPgvector(trx)
      const { installed } = await inspectPgvector(trx)
      const { objects } = await findDependents(trx)
      const { status } = await dropPgvector(trx, { logger: false })
      return { schema: installed?.schema, objects, status }
    })
    expect(result).toEqual({ schema: 'public', objects: [], status: 'dropped' })
  })

  test("is enough for Knex's migrations, in a transaction and without one", async () => {
    const knex = await openBriefly()
    const sources = { inside: migration(true), outside: migration(false) }
    const migrationSource = {
      getMigrations: () => Promise.resolve(Object.keys(sources)),
      getMigrationName: (name: string) => name,
      getMigration: (name: string) => Promise.resolve(sources[name as keyof typeof sources]),
    } as KnexInstance.MigrationSource<string>
    const [, applied] = (await knex.migrate.latest({ migrationSource })) as [number, string[]]
    const [, undone] = (await knex.migrate.rollback({ migrationSource })) as [number, string[]]
    expect({ applied, undone }).toEqual({ applied: ['inside', 'outside'], undone: ['outside', 'inside'] })
    expect((await inspectPgvector(knex)).installed).toBeNull()
  })
})

type Holder = ChildProcessByStdio<Writable, Readable, null>

interface Rows {
  readonly rows: readonly object[]
}

function migration(transaction: boolean): object {
  return {
    up: (db: KnexInstance) => ensurePgvector(db, { logger: false }),
    down: (db: KnexInstance) => dropPgvector(db, { logger: false }),
    config: { transaction },
  }
}

/** An instance that becomes ready later than it is. */
function slowly(pglite: PGlite, waitReady: Promise<void>): PGlite {
  return new Proxy(pglite, {
    get: (target, name) => {
      if (name === 'waitReady') return waitReady
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

function open(options: EmbeddedOptions, config: KnexInstance.Config = {}): KnexInstance {
  const log = { warn: () => undefined, error: () => undefined }
  const knex = Knex({ ...embeddedPgvector(options), log, ...config })
  opened.push(knex)
  return knex
}

// A caller that waits for a second connection fails here long before the test does.
async function openBriefly(): Promise<KnexInstance> {
  return open({ loadDataDir: await emptyDatabase() }, { acquireConnectionTimeout: 10_000 })
}

// What Knex does where a connection reports an error: the pool drops it before its next use.
async function breakConnection(knex: KnexInstance): Promise<void> {
  const client = knex.client as KnexInstance.Client
  const connection = (await client.acquireConnection()) as object
  Object.assign(connection, { __knex__disposed: new Error('the connection broke') })
  await client.releaseConnection(connection)
}

async function heldFolder(): Promise<{ dataDir: string; processId: number; holder: Holder }> {
  const dataDir = await folderWithDatabase()
  const holder = startHolder(dataDir)
  expect(await openOrExit(holder)).toBe('open')
  return { dataDir, processId: holder.pid ?? 0, holder }
}

function startHolder(dataDir: string): Holder {
  const script = join(__dirname, 'support', 'hold-embedded.ts')
  const holder = spawn(process.execPath, ['--require', 'sucrase/register', script, dataDir], {
    cwd: join(__dirname, '..'),
    env: { ...process.env, ...shortLived },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  holders.push(holder)
  return holder
}

async function openOrExit(holder: Holder): Promise<string> {
  return Promise.race([
    once(holder.stdout, 'data').then(([said]) => String(said).trim()),
    once(holder, 'exit').then(([code]) => `exit ${String(code)}`),
  ])
}

async function deadProcess(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' })
  await once(child, 'exit')
  return child.pid ?? 0
}
