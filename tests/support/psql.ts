import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

import { describeOnServers, type CurrentDatabase } from './databases.ts'

/** What psql said, and its exit code: 3 where a script failed. */
export interface PsqlResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs behaviour that psql shows: on every server that has pgvector, where this machine has psql. */
export function describeWithPsql(title: string, body: (database: CurrentDatabase) => void): void {
  if (spawnSync('psql', ['--version']).status === 0) {
    describeOnServers(title, body)
    return
  }
  if (process.env['CI'] === 'true') throw new Error('psql is not installed, and the tests need it')
  describe.skip(`${title} [psql]`, () => {
    test('needs psql', () => undefined)
  })
}

/** Runs a script with psql, which is another lexer and another client than ours. */
export async function runPsql(url: string, script: string, ...flags: readonly string[]): Promise<PsqlResult> {
  const child = spawn('psql', ['--no-psqlrc', ...flags, '--file', '-', url], { env: { ...process.env, LC_ALL: 'C' } })
  child.stdin.end(script)
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: code as number | null, stdout, stderr }
}
