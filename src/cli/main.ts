#!/usr/bin/env node
import { useCompileCache } from './compile-cache.ts'
import { wantsJson } from './wants-json.ts'

// Whoever reads us may have read enough, as head does; a migration goes on all the same.
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
  // What the knexfile or a migration left open must not keep the process alive, as it does not keep stock Knex's.
  process.exit()
}

/** Resolves when all that was printed has been handed over. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve())
  })
}
