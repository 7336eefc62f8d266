import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

import Knex, { type Knex as KnexInstance } from 'knex'

import { describeOnServers, type CurrentDatabase } from './databases.ts'
import { testServers } from './found-servers.ts'
import { runPsql } from './psql.ts'

/** Runs behaviour that needs a dump: on every server, where there is a pg_dump that is new enough, and psql. */
export function describeWithDump(title: string, body: (database: CurrentDatabase) => void): void {
  const servers = testServers().found.filter(({ pgvector, major }) => pgvector !== null && major >= 14)
  const hasPsql = spawnSync('psql', ['--version']).status === 0
  if (hasPsql && servers.every(({ url, major }) => dumpCommand(url, major) !== null)) {
    describeOnServers(title, body)
    return
  }
  if (process.env['CI'] === 'true') throw new Error('psql or a pg_dump that is new enough is missing')
  describe.skip(`${title} [pg_dump]`, () => {
    test('needs psql and a pg_dump that is as new as the server', () => undefined)
  })
}

/** Dumps a database, restores it into another one, and returns that one's name. */
export async function copyByDump(url: string, major: number): Promise<string> {
  const command = dumpCommand(url, major)
  if (command === null) throw new Error('there is no pg_dump')
  const [program = '', ...args] = command
  const child = spawn(program, args, { env: { ...process.env, LC_ALL: 'C' }, stdio: ['ignore', 'pipe', 'pipe'] })
  const [script, problems, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  if (code !== 0) throw new Error(`pg_dump failed: ${problems}`)
  const copy = new URL(url)
  copy.pathname = `${copy.pathname}_copy`
  await asAdministrator(url, `create database ${copy.pathname.slice(1)}`)
  const restored = await runPsql(copy.href, script, '--quiet', '--set', 'ON_ERROR_STOP=1')
  if (restored.code !== 0) throw new Error(`psql failed: ${restored.stderr}`)
  return copy.href
}

/** Drops what {@link copyByDump} created. */
export async function dropCopy(url: string): Promise<void> {
  await asAdministrator(url, `drop database ${new URL(url).pathname.slice(1)} with (force)`)
}

async function asAdministrator(url: string, sql: string): Promise<void> {
  const place = new URL(url)
  place.pathname = '/postgres'
  const knex: KnexInstance = Knex({ client: 'pg', connection: place.href, pool: { min: 0, max: 1 } })
  try {
    await knex.raw(sql)
  } finally {
    await knex.destroy()
  }
}

/** The pg_dump of this machine if it is new enough, else that of the server's container. */
function dumpCommand(url: string, major: number): readonly string[] | null {
  const version = /(\d+)\.\d+/.exec(output('pg_dump', '--version'))?.[1]
  if (version !== undefined && Number(version) >= major) return ['pg_dump', url]
  const { port, username, pathname } = new URL(url)
  const [container] = output('docker', 'ps', '--quiet', '--filter', `publish=${port}`).split('\n')
  if (container === undefined || container === '') return null
  return ['docker', 'exec', container, 'pg_dump', '--username', username, pathname.slice(1)]
}

function output(program: string, ...args: readonly string[]): string {
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8' })
  return status === 0 ? stdout : ''
}
