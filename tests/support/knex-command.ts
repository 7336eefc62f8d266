import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import type { Readable } from 'node:stream'

import { shortLived } from './short-lived.ts'

/** Where a command finds its database: DATABASE_URL for a server, PGLITE_DATA_DIR for the folder of an embedded one. */
export type Place = Readonly<Record<'DATABASE_URL' | 'PGLITE_DATA_DIR', string>>

/** What a command said, on both streams, and its exit code. */
export interface Said {
  readonly code: number | null
  readonly output: string
}

/** Runs `npx knex` with this repository's knexfile.ts, in a process of its own. */
export async function knexCommand(place: Place, ...words: readonly string[]): Promise<Said> {
  return ended(startKnexCommand(place, ...words))
}

/** Runs `npx knex` in the folder of a project. */
export async function stockKnex(
  folder: string,
  env: Readonly<Record<string, string>>,
  ...words: readonly string[]
): Promise<Said> {
  const command = spawn(process.execPath, [resolve('node_modules/knex/bin/cli.js'), ...words], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1', KNEX_PATH: require.resolve('knex'), ...shortLived, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return ended(command)
}

export type KnexCommand = ChildProcessByStdio<null, Readable, Readable>

export function startKnexCommand(place: Place, ...words: readonly string[]): KnexCommand {
  return spawn(join('node_modules', '.bin', 'knex'), words, {
    env: { ...process.env, NO_COLOR: '1', ...shortLived, ...place },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Waits until a command has ended and all it said has arrived. */
export async function ended(command: KnexCommand): Promise<Said> {
  const chunks: Buffer[] = []
  for (const stream of [command.stdout, command.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  const [code] = (await once(command, 'close')) as [number | null]
  return { code, output: Buffer.concat(chunks).toString() }
}
