import { once } from 'node:events'
import { mkdir, watch } from 'node:fs/promises'
import { join } from 'node:path'

import Knex from 'knex'

import { embeddedPgvector } from '../src/embedded.ts'
import { describeOnServers, describeWithoutPgvector } from './support/databases.ts'
import { emptyDatabase } from './support/embedded-dump.ts'
import { folderWithDatabase } from './support/empty-folder.ts'
import { ended, knexCommand, startKnexCommand, type Place } from './support/knex-command.ts'
import { removeTemporaryFolders, temporaryFolder } from './support/temporary.ts'

// Each command is a process that loads Knex, and on the embedded database one that starts PostgreSQL.
jest.setTimeout(240_000)

afterEach(removeTemporaryFolders)

const server = (url: string | null): Place => ({ DATABASE_URL: url ?? '', PGLITE_DATA_DIR: '' })
const folder = (dataDir: string): Place => ({ DATABASE_URL: '', PGLITE_DATA_DIR: dataDir })

function obeys(place: () => Promise<Place>): void {
  test('npx knex applies, lists, names and rolls back the migrations', async () => {
    const where = await place()
    const steps: [words: string[], says: RegExp, code?: number][] = [
      [['migrate:latest'], /^pgvector \d+\.\d+\.\d+ enabled in the schema "public" [^]*^Batch 1 run: 3 migrations$/m],
      [['migrate:list'], /^001_initial_schema\s+002_add_semantic_search\s+003_add_scaling_tables\s+No Pending/m],
      [['migrate:currentVersion'], /^Current Version: 003$/m],
      [
        ['migrate:down', '001_initial_schema'],
        /001_initial_schema cannot be rolled back while these are applied: 003_add/,
        1,
      ],
      [['migrate:rollback'], /^pgvector \d+\.\d+\.\d+ dropped from [^]*^Batch 1 rolled back: 3 migrations$/m],
      [['migrate:up', '001_initial_schema'], /^Batch 1 ran the following migrations:\s+001_initial_schema$/m],
      [['migrate:up', '003_add_scaling_tables'], /^Batch 2 ran the following migrations:\s+003_add_scaling_tables$/m],
      [['migrate:down'], /^Batch 2 rolled back the following migrations:\s+003_add_scaling_tables$/m],
    ]
    for (const [words, says, code = 0] of steps) {
      const said = await knexCommand(where, ...words)
      expect(said).toEqual({ code, output: expect.stringMatching(says) as string })
    }
  })
}

describeOnServers('with DATABASE_URL', (database) => {
  obeys(async () => server(database().url))
})

describe('without DATABASE_URL, on the embedded database', () => {
  obeys(async () => folder(await folderWithDatabase()))
})

describeWithoutPgvector('with DATABASE_URL of a server without pgvector', (database) => {
  test('npx knex migrate:latest changes nothing, and says what is missing', async () => {
    const { knex, url, major } = database()
    const said = await knexCommand(server(url), 'migrate:latest')
    expect(said.output).toContain(`pgvector extension not available. Ensure postgresql-${major}-pgvector is installed`)
    expect(said.code).toBe(1)
    expect(await knex('knex_migrations')).toEqual([])
    expect(await knex.schema.hasTable('entries')).toBe(false)
  })
})

describe('the folder of the embedded database', () => {
  test('is refused to a command while another process has it open', async () => {
    const dataDir = join(await temporaryFolder(), 'database')
    const knex = Knex(embeddedPgvector({ dataDir, loadDataDir: await emptyDatabase() }))
    try {
      await knex.raw('select')
      const said = await knexCommand(folder(dataDir), 'migrate:latest')
      expect(said.output).toContain(`The embedded database in ${dataDir} is in use by process ${process.pid}`)
      expect(said.code).toBe(1)
    } finally {
      await knex.destroy()
    }
  })

  test('is made by the first of two commands, and serves the other one afterwards or not at all', async () => {
    const place = folder(join(await temporaryFolder(), 'new', 'database'))
    const both = await Promise.all([knexCommand(place, 'migrate:latest'), knexCommand(place, 'migrate:latest')])
    const served = both.filter(({ code }) => code === 0)
    expect(served.filter(({ output }) => output.includes('Batch 1 run: 3 migrations'))).toHaveLength(1)
    for (const { code, output } of both) {
      expect(output).toMatch(code === 0 ? /Batch 1 run|Already up to date/ : /in use by process \d+/)
    }
    const list = await knexCommand(place, 'migrate:list')
    expect(list.output).toContain('Found 3 Completed Migration file/files.')
  })

  test('opens again after a command was killed while it made the database', async () => {
    const dataDir = join(await temporaryFolder(), 'database')
    await mkdir(dataDir)
    const changes = watch(dataDir)[Symbol.asyncIterator]()
    const command = startKnexCommand(folder(dataDir), 'migrate:latest')
    const end = ended(command)
    await changes.next()
    await changes.return?.()
    command.kill('SIGKILL')
    expect(await end).toMatchObject({ code: null })
    const said = await knexCommand(folder(dataDir), 'migrate:latest')
    expect(said).toMatchObject({ code: 0, output: expect.stringContaining('Batch 1 run: 3 migrations') as string })
  })

  test('opens again after a command was killed in the middle of a migration, which is then run from its start', async () => {
    const dataDir = await folderWithDatabase()
    const command = startKnexCommand(folder(dataDir), 'migrate:latest')
    const end = ended(command)
    let output = ''
    while (!output.includes('enabled in the schema')) {
      const [chunk] = (await once(command.stdout, 'data')) as [Buffer]
      output += chunk.toString()
    }
    command.kill('SIGKILL')
    await end
    const said = await knexCommand(folder(dataDir), 'migrate:latest')
    expect(said.output).toMatch(/Batch 1 run: 3 migrations|Already up to date/)
    expect(said.code).toBe(0)
  })
})
