import { spawn } from 'node:child_process'
import { join } from 'node:path'

import { createDatabase, withDatabase, type Server } from './databases.ts'
import { medians, type Contender } from './measure.ts'
import { writePlainProject } from './plain-project.ts'
import { recordMigrations } from './record.ts'
import type { Comparison } from './report.ts'

const root = join(__dirname, '..')
const knexCommand = join(root, 'node_modules', 'knex', 'bin', 'cli.js')

/** `knex migrate:latest` on an empty database, as a whole process, against the same SQL without this library. */
export async function compareMigrate(server: Server): Promise<Comparison[]> {
  const plain = await writePlainProject(await withDatabase(server, recordMigrations))
  try {
    const { ours, knexAlone, psql } = await medians(
      {
        ours: onEmptyDatabase(server, (url) => migrateLatest(url, root)),
        knexAlone: onEmptyDatabase(server, (url) => migrateLatest(url, plain.directory)),
        psql: onEmptyDatabase(server, (url) =>
          run('psql', ['-X', '-q', '-1', '-v', 'ON_ERROR_STOP=1', '-f', plain.sqlFile, url], { cwd: root, url }),
        ),
      },
      { warmUp: 1, counted: 15 },
    )
    const what = 'knex migrate:latest'
    return [
      {
        what,
        milliseconds: ours,
        against: 'the same SQL in plain migrations',
        baseline: knexAlone,
        target: { atMost: 1.25 },
      },
      { what, milliseconds: ours, against: 'psql -1 -f of the same SQL', baseline: psql, target: null },
    ]
  } finally {
    await plain.remove()
  }
}

function onEmptyDatabase(server: Server, migrate: (url: string) => Promise<void>): Contender {
  let database: Awaited<ReturnType<typeof createDatabase>> | undefined
  return {
    prepare: async () => {
      await database?.drop()
      database = await createDatabase(server)
    },
    run: async () => {
      if (database !== undefined) await migrate(database.url)
    },
  }
}

function migrateLatest(url: string, directory: string): Promise<void> {
  return run(process.execPath, [knexCommand, 'migrate:latest'], { cwd: directory, url })
}

async function run(
  command: string,
  args: readonly string[],
  { cwd, url }: { readonly cwd: string; readonly url: string },
): Promise<void> {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, DATABASE_URL: url },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)))
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${output}`)
}
