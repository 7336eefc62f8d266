#!/usr/bin/env node
import { program } from './program.ts'
import { reportFailure } from './report-failure.ts'

// The exit code is set, never forced: what is still to be written to stdout is written first.
void program()
  .parseAsync()
  .catch((error: unknown) => {
    process.exitCode = reportFailure(error)
  })
