import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'

import { builtCli } from './build.ts'
import type { CliResult } from './cli.ts'
import { shortLived } from './short-lived.ts'
import { temporaryFolder } from './temporary.ts'

/** Environment variables of a process. */
export type Environment = Readonly<Record<string, string>>

/** A process that was started, and how it ends. */
export interface StartedCli {
  readonly process: ChildProcess
  readonly result: Promise<CliResult>
}

/** An application in a folder of its own that uses this library and has its command line. */
export interface Project {
  readonly folder: string
  readonly write: (path: string, content: string) => Promise<void>
  /** Starts `npx knex-pgvector` without a terminal, and with nothing in its environment but what is given. */
  readonly start: (flags: readonly string[], env?: Environment) => StartedCli
  readonly run: (flags: readonly string[], env?: Environment) => Promise<CliResult>
}

const root = resolve(__dirname, '../..')

export async function createProject(files: Readonly<Record<string, string>>): Promise<Project> {
  const folder = await temporaryFolder()
  const write = async (path: string, content: string): Promise<void> => {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
  for (const [path, content] of Object.entries(files)) await write(path, content)
  await mkdir(join(folder, 'node_modules'), { recursive: true })
  await symlink(root, join(folder, 'node_modules/knex-pgvector'), 'junction')
  const start = (flags: readonly string[], env: Environment = {}): StartedCli => {
    const inherited = Object.entries(process.env).filter(([name]) => /^(PATH|HOME|SystemRoot|TEMP|TMP)$/i.test(name))
    const child = spawn(process.execPath, [builtCli, ...flags], {
      cwd: folder,
      env: { ...Object.fromEntries(inherited), ...shortLived, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const ended = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)])
    return {
      process: child,
      result: ended.then(([[code], stdout, stderr]) => ({ code: code as number | null, stdout, stderr })),
    }
  }
  return { folder, write, start, run: (flags, env) => start(flags, env).result }
}

/** A knexfile that takes its connection from DATABASE_URL, and its migrations without extensions. */
export const knexfile = `
  const { migrationSource } = require('knex-pgvector')
  module.exports = {
    client: 'pg',
    connection: process.env.DATABASE_URL,
    migrations: { migrationSource: migrationSource({ directory: 'migrations' }) },
  }
`

/** A migration in JavaScript, of the statements that it sends. */
export function migrationOf(up: string, down = 'select 1'): string {
  return [
    `exports.up = (knex) => knex.raw(${JSON.stringify(up)})`,
    `exports.down = (knex) => knex.raw('${down}')`,
  ].join('\n')
}
