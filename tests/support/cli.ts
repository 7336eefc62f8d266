import { spawn, type ChildProcess } from 'node:child_process'

import { builtCli } from './build.ts'
import { shortLived } from './short-lived.ts'

/** How a process ended, and what it said. */
export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** How to start the command line. */
export interface CliOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  /** Given the process as soon as it runs, to send it signals. */
  readonly onStart?: (child: ChildProcess) => void
}

/** Runs the built `knex-pgvector` as a process of its own, without a terminal. */
export function runCli(flags: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const child = spawn(process.execPath, [builtCli, ...flags], {
    cwd: options.cwd ?? process.cwd(),
    env: { ...process.env, NO_COLOR: '1', ...shortLived, ...options.env },
  })
  options.onStart?.(child)
  child.stdin.end(options.input ?? '')
  return new Promise((resolve, reject) => {
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (text: Buffer) => (stdout += text.toString()))
    child.stderr.on('data', (text: Buffer) => (stderr += text.toString()))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}
