#!/usr/bin/env node
import { program } from './program.ts'
import { reportFailure } from './report-failure.ts'

// Whoever reads us may have read enough, as head does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

// The exit code is set, never forced: what is still to be written to stdout is written first.
void program()
  .parseAsync()
  .catch((error: unknown) => {
    process.exitCode = reportFailure(error, process.argv.includes('--json'))
  })
