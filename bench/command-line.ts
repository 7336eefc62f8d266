import { join } from 'node:path'

import { withDatabase, type Server } from './databases.ts'
import { measure } from './measure.ts'
import { nodePgMigrate, writeKnexProject, writeNodePgMigrateProject } from './plain-projects.ts'
import { onEmptyDatabase, runNode } from './processes.ts'
import { writeProjectWithLibrary } from './projects.ts'
import { recordMigrations } from './record.ts'
import type { Comparison } from './report.ts'

const root = join(__dirname, '..')
const knexPgvector = join(root, 'dist', 'cli', 'main.js')
const knex = join(root, 'node_modules', 'knex', 'bin', 'cli.js')

const rounds = { warmUp: 1, counted: 21 }

/** The command line as whole processes, against stock Knex's in the same application and against node-pg-migrate. */
export async function compareCommandLine(server: Server): Promise<Comparison[]> {
  const recorded = await withDatabase(server, recordMigrations)
  const [application, plain, other] = await Promise.all([
    writeProjectWithLibrary(),
    writeKnexProject(recorded),
    writeNodePgMigrateProject(recorded),
  ])
  try {
    return [
      ...(await compareStatus(server, application.directory)),
      ...(await compareUp(server, application.directory)),
      ...(await compareSameSql(server, plain.directory, other.directory)),
    ]
  } finally {
    await Promise.all([application, plain, other].map((project) => project.remove()))
  }
}

async function compareStatus(server: Server, directory: string): Promise<Comparison[]> {
  return withDatabase(server, async (url) => {
    await runNode([knexPgvector, 'up'], directory, url)
    const { status, list } = await measure(
      {
        status: { run: () => runNode([knexPgvector, 'status'], directory, url) },
        list: { run: () => runNode([knex, 'migrate:list'], directory, url) },
      },
      rounds,
    )
    return [
      {
        what: 'knex-pgvector status',
        milliseconds: status,
        against: 'knex migrate:list',
        baseline: list,
        target: { atMost: 1.1 },
      },
    ]
  })
}

async function compareUp(server: Server, directory: string): Promise<Comparison[]> {
  const { up, latest } = await measure(
    {
      up: onEmptyDatabase(server, (url) => runNode([knexPgvector, 'up'], directory, url)),
      latest: onEmptyDatabase(server, (url) => runNode([knex, 'migrate:latest'], directory, url)),
    },
    rounds,
  )
  return [
    {
      what: 'knex-pgvector up',
      milliseconds: up,
      against: 'knex migrate:latest',
      baseline: latest,
      target: { atMost: 1.1 },
    },
  ]
}

async function compareSameSql(server: Server, plain: string, other: string): Promise<Comparison[]> {
  const { ours, knexAlone, theirs } = await measure(
    {
      ours: onEmptyDatabase(server, (url) => runNode([knexPgvector, 'up'], plain, url)),
      knexAlone: onEmptyDatabase(server, (url) => runNode([knex, 'migrate:latest'], plain, url)),
      theirs: onEmptyDatabase(server, (url) => runNode([nodePgMigrate, 'up'], other, url)),
    },
    rounds,
  )
  const what = 'knex-pgvector up, plain SQL'
  return [
    { what, milliseconds: ours, against: 'knex migrate:latest, same SQL', baseline: knexAlone, target: null },
    { what, milliseconds: ours, against: 'node-pg-migrate up, same SQL', baseline: theirs, target: { atMost: 1 } },
  ]
}
