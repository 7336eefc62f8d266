import { spawn } from 'node:child_process'

import { createDatabase, type Server } from './databases.ts'
import type { Contender } from './measure.ts'

/** A contender that begins with an empty database each time. */
export function onEmptyDatabase(server: Server, work: (url: string) => Promise<void>): Contender {
  let database: Awaited<ReturnType<typeof createDatabase>> | undefined
  return {
    prepare: async () => {
      database = await createDatabase(server)
    },
    run: async () => {
      if (database !== undefined) await work(database.url)
    },
    cleanUp: async () => {
      await database?.drop()
    },
  }
}

/** Runs a program of Node as a whole process, which must succeed. */
export function runNode(args: readonly string[], directory: string, url: string): Promise<void> {
  return runProgram(process.execPath, args, directory, url)
}

/** Runs a program as a whole process, which must succeed. */
export async function runProgram(
  command: string,
  args: readonly string[],
  directory: string,
  url: string,
): Promise<void> {
  const child = spawn(command, args, {
    cwd: directory,
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
