import { red, yellow } from 'colorette'
import { CommanderError } from 'commander'

import { isPgvectorMigrationError } from '../errors.ts'
import { describeServerError } from './describe-server-error.ts'

/** What a process exits with. */
export const exitCode = { done: 0, bug: 1, failure: 2, pending: 3, interrupted: 130, terminated: 143 } as const

/** Prints why a command failed and what to do next, and tells what to exit with. */
export function reportFailure(error: unknown): number {
  // Commander has printed its own message; its --help and --version end this way too.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.done : exitCode.failure
  if (!isPgvectorMigrationError(error)) {
    const server = describeServerError(error)
    process.stderr.write(server === null ? `${stackOf(error)}\n` : `${red('✗')} ${server.join('\n')}\n`)
    return server === null ? exitCode.bug : exitCode.failure
  }
  const { message, hint, code, docsUrl, cause } = error
  const server = describeServerError(cause) ?? (cause instanceof Error ? [cause.message] : [])
  const lines = [
    `${red('✗')} ${message}  ${code}`,
    ...server.map((line) => `  ${line}`),
    `  ${yellow('Next')}  ${hint}`,
    `  Docs  ${docsUrl}`,
  ]
  process.stderr.write(`${lines.join('\n')}\n`)
  if (!isPgvectorMigrationError(error, 'MIGRATION_INTERRUPTED')) return exitCode.failure
  return error.details.signal === 'SIGTERM' ? exitCode.terminated : exitCode.interrupted
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
