import { CommanderError } from 'commander'

import { isPgvectorMigrationError, errorMessage, type PgvectorMigrationError } from '../../core/errors.ts'
import { connectionRemedy } from '../../database/connection-remedies.ts'
import { escapeAllButColours, red, yellow } from './colour.ts'
import { hanging } from './hanging.ts'
import { describeServerError, describeSystemError, isConnectionError, serverErrorOf } from './server-error.ts'
import { exitCode, exitCodeOfSignal } from '../exit-code.ts'
import { configurationInUse } from '../load-config.ts'
import { write, writeDocument } from './printer.ts'
import { redact, redactAll } from '../../sql-text/redact.ts'
import { signalThatStopped } from '../run-options.ts'

/** Prints why a command failed and what to do next, and tells what to exit with; with --json, also as a document. */
export function reportFailure(error: unknown, isJson: boolean): number {
  const isUsage = error instanceof CommanderError
  // Commander's --help and --version end this way too, and it has printed its own message.
  if (isUsage && error.exitCode === 0) {
    if (isJson && error.code === 'commander.version') writeDocument({ version: error.message })
    return exitCode.done
  }
  if (!isUsage) write(process.stderr, withoutPasswords(describe(error)))
  if (isJson) writeDocument(redactAll({ error: documentOf(error) }))
  if (isUsage) return exitCode.failure
  return codeOf(error)
}

// A statement that contains one has it over several lines.
function withoutPasswords(lines: readonly string[]): string[] {
  const escaped = lines.map((line) => escapeAllButColours(redact(line)))
  return redact(escaped.join('\n')).split('\n')
}

function codeOf(error: unknown): number {
  const signal = isPgvectorMigrationError(error, 'MIGRATION_INTERRUPTED') ? error.details.signal : signalThatStopped()
  if (signal !== null) return exitCodeOfSignal(signal)
  const isExplained =
    isPgvectorMigrationError(error) || serverErrorOf(error) !== null || describeSystemError(error) !== null
  return isExplained ? exitCode.failure : exitCode.bug
}

function describe(error: unknown): string[] {
  if (!isPgvectorMigrationError(error)) {
    const [first = '', ...rest] = explain(error) ?? hanging(stackOf(error))
    const next = nextFor(error).map((hint) => `  ${yellow('Next')}     ${hint}`)
    return [`${red('✗')} ${first}`, ...rest.map((line) => `  ${line}`), ...next]
  }
  const { message, hint, code, docsUrl, cause } = error
  const [first = '', ...rest] = message.split('\n')
  return [
    `${red('✗')} ${first}  ${code}`,
    ...rest.map((line) => `  ${line}`),
    ...(saysAll(code) ? [] : (explain(cause) ?? messagesOf(cause)))
      .filter((line) => !message.includes(escapeAllButColours(line)))
      .map((line) => `  ${line}`),
    ...(code === 'MIGRATIONS_NOT_FOUND' ? [`  Config   ${configurationInUse() ?? 'none'}`] : []),
    ...standing(error),
    `  ${yellow('Next')}     ${hint}`,
    ...again(error),
    `  Docs     ${docsUrl}`,
  ]
}

// What Node says besides is how it came to the file.
function saysAll(code: PgvectorMigrationError['code']): boolean {
  return code === 'INVALID_MIGRATION' || code === 'INVALID_KNEXFILE'
}

function explain(error: unknown): string[] | null {
  const server = serverErrorOf(error)
  if (server !== null) return describeServerError(server)
  const system = describeSystemError(error)
  return system === null ? null : hanging(system)
}

// What the server refuses without having been asked anything is about the connection: by SQLSTATE class, connection
// exception, invalid authorization and invalid catalog name.
function nextFor(error: unknown): string[] {
  const server = serverErrorOf(error)
  if (server === null ? isConnectionError(error) : /^(08|28|3D)/.test(server.code)) {
    const remedy = error instanceof Error ? connectionRemedy(error) : null
    return [remedy ?? 'Check the connection in the knexfile, or name a server with --database-url.']
  }
  return describeSystemError(error) === null
    ? []
    : ['Check the paths in the knexfile: relative ones begin at its folder.']
}

// An error of ours behind an error of ours has a hint of its own.
function messagesOf(cause: unknown): string[] {
  if (cause === undefined) return []
  if (!(cause instanceof Error)) return hanging(errorMessage(cause))
  return isPgvectorMigrationError(cause)
    ? [...hanging(cause.message, `  ${cause.code}`), cause.hint]
    : hanging(cause.message)
}

/** Where a run that stopped leaves things. */
function standing({ details }: PgvectorMigrationError): string[] {
  const { done, left } = details as { done?: readonly string[]; left?: readonly string[] }
  return [
    ...(done === undefined ? [] : [`  Done     ${done.length === 0 ? 'nothing in this run' : done.join(', ')}`]),
    ...(left === undefined || left.length === 0 ? [] : [`  Not yet  ${left.join(', ')}`]),
  ]
}

const canGoOn = ['MIGRATION_FAILED', 'MIGRATION_INTERRUPTED', 'MIGRATION_LOCK_LOST', 'MIGRATIONS_LOCKED'] as const

function again(error: PgvectorMigrationError): string[] {
  if (!canGoOn.some((code) => error.code === code)) return []
  return [`  Again    ${commandLine(process.argv.slice(2))}`, ...without(error)]
}

/** Returns a command of this library as a shell takes it. */
export function commandLine(words: readonly string[]): string {
  const quoted = words.map((word) => (/^[\w./:=@+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
  return `npx knex-pgvector ${quoted.join(' ')}`
}

// A migration that a server without pgvector cannot have can wait, where the others do not build on it.
function without({ cause, details }: PgvectorMigrationError): string[] {
  const { migration, direction } = details as { migration?: string; direction?: string }
  if (!isPgvectorMigrationError(cause, 'PGVECTOR_NOT_AVAILABLE') || direction !== 'up' || migration === undefined)
    return []
  return [`  Without  npx knex-pgvector up --skip ${migration} (it stays pending)`]
}

function documentOf(error: unknown): unknown {
  if (!isPgvectorMigrationError(error)) {
    const server = serverErrorOf(error)
    // Without a command, commander shows the help and says no more.
    const isHelp = error instanceof CommanderError && error.code === 'commander.help'
    return {
      code: null,
      message: isHelp ? 'error: no command was given' : (server?.message ?? errorMessage(error)),
      server,
    }
  }
  const { code, message, hint, details, docsUrl, cause } = error
  const server = serverErrorOf(cause)
  return { code, message, hint, details, docsUrl, cause: server?.message ?? messagesOf(cause)[0] ?? null, server }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : errorMessage(error)
}
