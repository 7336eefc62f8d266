#!/usr/bin/env node
import { useCompileCache } from './compile-cache.ts'
import { wantsJson } from './wants-json.ts'

// A reader such as head may close the pipe early. A running migration continues.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

void run()

async function run(): Promise<void> {
  useCompileCache()
  try {
    const { program } = await import('./program.ts')
    await program().parseAsync()
  } catch (error) {
    const { reportFailure } = await import('./output/failure.ts')
    process.exitCode = reportFailure(error, wantsJson())
  }
  await Promise.all([process.stdout, process.stderr].map(written))
  // As with stock Knex, a handle that the knexfile or a migration left open must not keep the process alive.
  process.exit()
}

/** Resolves when all output has been written. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve())
  })
}
