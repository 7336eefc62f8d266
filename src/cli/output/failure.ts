import { CommanderError } from 'commander'

import { isPgvectorMigrationError, errorMessage, type PgvectorMigrationError } from '../../core/errors.ts'
import { connectionRemedy } from '../../database/connection-remedies.ts'
import { sqlState } from '../../database/sqlstate.ts'
import { escapeAllButColours, red, yellow } from './colour.ts'
import { hanging } from './hanging.ts'
import { describeServerError, describeSystemError, isConnectionError, serverErrorOf } from './server-error.ts'
import { exitCode, exitCodeOfSignal } from '../exit-code.ts'
import { configurationInUse } from '../load-config.ts'
import { write, writeDocument } from './printer.ts'
import { redact, redactAll } from '../../sql-text/redact.ts'
import { signalThatStopped } from '../run-options.ts'

/** Prints why a command failed and what to do next, with --json as a document too. Returns the exit code. */
export function reportFailure(error: unknown, isJson: boolean): number {
  const isUsage = error instanceof CommanderError
  // Commander throws for --help and --version too, and has printed its own message.
  if (isUsage && error.exitCode === 0) {
    if (isJson && error.code === 'commander.version') writeDocument({ version: error.message })
    return exitCode.done
  }
  if (!isUsage) write(process.stderr, withoutPasswords(describe(error)))
  if (isJson) writeDocument(redactAll({ error: documentOf(error) }))
  if (isUsage) return exitCode.failure
  return codeOf(error)
}

// A statement that contains a line break is printed on several lines.
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

// The rest of Node's message is the chain of imports.
function saysAll(code: PgvectorMigrationError['code']): boolean {
  return code === 'INVALID_MIGRATION' || code === 'INVALID_KNEXFILE'
}

function explain(error: unknown): string[] | null {
  const server = serverErrorOf(error)
  if (server !== null) return describeServerError(server)
  const system = describeSystemError(error)
  return system === null ? null : hanging(system)
}

// Errors before the first query are about the connection. Their SQLSTATE classes are connection exception, invalid
// authorization specification and invalid catalog name.
function nextFor(error: unknown): string[] {
  const server = serverErrorOf(error)
  if (server === null ? isConnectionError(error) : /^(08|28|3D)/.test(server.code)) {
    const remedy = error instanceof Error ? connectionRemedy(error) : null
    return [remedy ?? 'Check the connection in the knexfile, or name a server with --database-url.']
  }
  if (server?.code === sqlState.queryCanceled) {
    return ['If statement_timeout ended it, raise that setting for this role; else run the same command again.']
  }
  return describeSystemError(error) === null
    ? []
    : ['Check the paths in the knexfile: relative ones begin at its folder.']
}

// If the cause is an error of this library, it has a hint of its own.
function messagesOf(cause: unknown): string[] {
  if (cause === undefined) return []
  if (!(cause instanceof Error)) return hanging(errorMessage(cause))
  return isPgvectorMigrationError(cause)
    ? [...hanging(cause.message, `  ${cause.code}`), cause.hint]
    : hanging(cause.message)
}

/** Describes the state that a stopped run left behind. */
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

/** Returns a command of this library, quoted for a shell. */
export function commandLine(words: readonly string[]): string {
  const quoted = words.map((word) => (/^[\w./:=@+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
  return `npx knex-pgvector ${quoted.join(' ')}`
}

// Without pgvector on the server, that migration can be skipped if the others do not depend on it.
function without({ cause, details }: PgvectorMigrationError): string[] {
  const { migration, direction } = details as { migration?: string; direction?: string }
  if (!isPgvectorMigrationError(cause, 'PGVECTOR_NOT_AVAILABLE') || direction !== 'up' || migration === undefined)
    return []
  return [`  Without  npx knex-pgvector up --skip ${migration} (it stays pending)`]
}

function documentOf(error: unknown): unknown {
  if (!isPgvectorMigrationError(error)) {
    const server = serverErrorOf(error)
    // Without a command, commander prints the help and nothing else.
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
