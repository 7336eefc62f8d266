import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

import { shortLived } from './short-lived.ts'

/** How a command ended, and all it said. */
export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Where and with what a command runs. */
export interface RunOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
}

// What belongs to this test run and would leak into an application: npm's own variables, jest's, and the database.
const OURS =
  /^(npm_(command|config_local_prefix|lifecycle|package)|JEST_|KNEX_PGVECTOR_|NODE_(ENV|OPTIONS)$|DATABASE_URL$)/

/** Runs a command as a developer in another folder would, and waits for it; kills one that hangs. */
export async function run(command: string, args: readonly string[], { cwd, env }: RunOptions): Promise<Finished> {
  const inherited = Object.entries(process.env).filter(([name]) => !OURS.test(name))
  const child = spawn(command, args, {
    cwd,
    env: { ...Object.fromEntries(inherited), ...shortLived, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 240_000,
    killSignal: 'SIGKILL',
  })
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return { code: code as number | null, stdout, stderr }
}

/** Runs a command that must succeed, and returns what it printed. */
export async function succeed(command: string, args: readonly string[], options: RunOptions): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, options)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}\n${stdout}\n${stderr}`)
  return stdout
}
