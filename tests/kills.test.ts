import { once } from 'node:events'

import Knex, { type Knex as KnexInstance } from 'knex'

import { createTemplate, withDatabase, type Place } from './support/faults/copies.ts'
import { leftoversOf } from './support/faults/inject.ts'
import { comparedStates, readState, type DatabaseState } from './support/faults/state.ts'
import { testServers } from './support/found-servers.ts'
import { createProject, knexfile, migrationOf, type Project } from './support/project.ts'
import { startProxy } from './support/proxy.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

// A command takes about half a second of a processor.
const AT_A_TIME = 2

// FAULTS=1 is each message.
const { FAULTS: each = '53' } = process.env
const server = testServers().found.findLast(({ pgvector, major }) => pgvector !== null && major >= 14)
const describeOnServer = server === undefined ? describe.skip : describe

const vectors = `
  const { CreateVectorIndex, migration, vectorColumn, vectorIndex } = require('knex-pgvector')
  const embedding = vectorColumn('documents', 'embedding', { dimensions: 3 })
  exports.index = vectorIndex(embedding, { method: 'hnsw', metric: 'l2' })
  exports.built = migration([new CreateVectorIndex(embedding, { method: 'hnsw', metric: 'l2' }, { logger: false })])`

const documents = `create table documents (id int primary key, embedding vector(3));
  insert into documents select n, array[n, n, n]::vector(3) from generate_series(1, 9) as n`

const files = {
  'knexfile.js': knexfile,
  'vectors.js': vectors,
  'migrations/001_documents.js': migrationOf(documents, 'drop table documents'),
  'migrations/002_index.js': `module.exports = require('../vectors.js').built`,
  'migrations/003_row.js': migrationOf('insert into documents (id) values (10)', 'delete from documents where id = 10'),
}

/** A command line, and what is there before it. */
const commands: Readonly<Record<string, (project: Project) => (place: string) => Promise<void>>> = {
  up: () => () => Promise.resolve(),
  'down --steps 3 --yes': (project) => async (url) => {
    await project.run(['up'], { DATABASE_URL: url })
  },
  'index build --declared vectors.js': () => (url) =>
    withDatabase(url, async (knex) => {
      await knex.raw(documents)
    }),
}

/** When the process is killed: before the server gets its message, or once it has it. */
const moments = ['before', 'after'] as const

interface Kill {
  readonly message: number
  readonly moment: (typeof moments)[number]
}

/** Runs a command through a proxy that counts what it sends, and kills it at a message. */
async function runThrough(
  project: Project,
  flags: readonly string[],
  { url }: Place,
  kill?: Kill,
): Promise<{ readonly sent: number; readonly code: number | null }> {
  let sent = 0
  let killAt = (): Promise<void> => Promise.resolve()
  const proxy = await startProxy(url, ({ connection, sender }) => {
    if (sender !== 'client' || sent++ !== kill?.message) return undefined
    if (kill.moment === 'before') connection.cut()
    return killAt()
  })
  try {
    const { process: child, result } = project.start(flags, { DATABASE_URL: proxy.url })
    killAt = async () => {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    const { code } = await result
    return { sent, code }
  } finally {
    await proxy.close()
  }
}

describeOnServer(`a command line that is killed [${server?.name ?? 'no server'}]`, () => {
  let administrator: KnexInstance

  beforeAll(() => {
    administrator = Knex({ client: 'pg', connection: server?.url ?? '', pool: { min: 0, max: AT_A_TIME } })
  })

  afterAll(async () => {
    await administrator.destroy()
    await removeTemporaryFolders()
  })

  test.each(Object.keys(commands))(
    '%s is finished by the next run, at whichever message',
    async (command) => {
      if (server === undefined) throw new Error('there is no server')
      const project = await createProject(files)
      const flags = command.split(' ')
      const prepare = commands[command]?.(project)
      const template = await createTemplate(server, administrator, async (knex, url) => {
        await knex.raw('create extension vector')
        await prepare?.(url)
      })
      const clean = await template.withCopy(async (place) => {
        const { sent, code } = await runThrough(project, flags, place)
        expect(code).toBe(0)
        return { sent, state: await withDatabase(place.url, readState) }
      })
      const kills = Array.from({ length: clean.sent }, (_, message) => moments.map((moment) => ({ message, moment })))
        .flat()
        .filter((_, index) => index % Number(each) === Math.floor(Number(each) / 2))
      const failures: string[] = []
      const work = async (): Promise<void> => {
        for (let kill = kills.shift(); kill !== undefined; kill = kills.shift()) {
          const problems = await template.withCopy((place) => problemsOf(project, flags, place, kill, clean.state))
          if (problems.length > 0) failures.push([`${kill.moment} message ${kill.message}`, ...problems].join('\n    '))
        }
      }
      await Promise.all(Array.from({ length: AT_A_TIME }, work))
      await template.drop()
      expect(failures).toEqual([])
    },
    600_000,
  )
})

async function problemsOf(
  project: Project,
  flags: readonly string[],
  place: Place,
  kill: Kill | undefined,
  expected: DatabaseState,
): Promise<readonly string[]> {
  await runThrough(project, flags, place, kill)
  const next = await project.run(flags, { DATABASE_URL: place.url })
  const problems = next.code === 0 ? [] : [`the next run ended with ${next.code}: ${next.stderr}`]
  problems.push(...(await leftoversOf(place)))
  return [...problems, ...comparedStates(await withDatabase(place.url, readState), expected)]
}
