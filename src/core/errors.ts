import { inspect, type InspectOptions } from 'node:util'

import { messages, type ErrorCode, type ErrorDetails, type LockHolder } from './error-messages.ts'
import { printableDetails } from './printable-details.ts'
import { printable } from './printable.ts'

export type { ErrorCode, ErrorDetails, LockHolder }

const DOCS_URL = 'https://github.com/knex-pgvector/knex-pgvector/blob/main/docs/errors.md'

// A registered symbol, so that an error made by another copy of this package, or in jest's realm, is still recognised.
const MARK = Symbol.for('knex-pgvector.PgvectorMigrationError')

/** What an error may carry besides its details. */
export interface ErrorExtras {
  /** Replaces the catalogue's hint where the server or its host needs another one. */
  readonly hint?: string | undefined
  /** The database error behind this one, untouched. */
  readonly cause?: unknown
}

/**
 * The one error this library throws on purpose: a stable `code`, a sentence, and what to do next.
 *
 * @example
 * catch (error) {
 *   if (isPgvectorMigrationError(error, 'PGVECTOR_VERSION_TOO_LOW')) console.error(error.details.minimum, error.hint)
 *   throw error
 * }
 */
export class PgvectorMigrationError<Code extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'PgvectorMigrationError'
  /** Stable and part of the public contract; every code has a heading in docs/errors.md. */
  readonly code: Code
  /** The facts of this case, typed by the code. */
  readonly details: ErrorDetails[Code]
  /** What to do next, in the imperative. */
  readonly hint: string
  /** The SQLSTATE of the database error behind this one, if there is one, also behind a cause of ours. */
  readonly sqlState: string | undefined
  /** Where the code is explained. */
  readonly docsUrl: string

  constructor(code: Code, details: ErrorDetails[Code], extras: ErrorExtras = {}) {
    const { message, hint } = messages[code](printableDetails(details))
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause })
    this.code = code
    this.details = details
    this.hint = printable(extras.hint ?? hint)
    this.sqlState = isPgvectorMigrationError(extras.cause) ? extras.cause.sqlState : sqlStateOf(extras.cause)
    this.docsUrl = `${DOCS_URL}#${code.toLowerCase()}`
    Object.defineProperty(this, MARK, { value: true })
    // Stock Knex prints the stack and nothing else of an error, so what to do next has to be in it.
    const said = `${message}\n  Next: ${this.hint}\n  Docs: ${this.docsUrl}`
    if (this.stack !== undefined) this.stack = this.stack.replace(message, () => said)
  }

  /** What can be logged: all but `cause`, whose message holds the statement as it was sent, passwords included. */
  toJSON(): object {
    const { name, code, message, hint, details, sqlState, docsUrl } = this
    return { name, code, message, hint, details, sqlState, docsUrl }
  }

  [inspect.custom](_depth: number, options: InspectOptions): string {
    const { code, details, sqlState } = this
    return `${this.stack ?? this.message} ${inspect({ code, details, sqlState }, options)}`
  }
}

/**
 * Tells whether `error` is ours, and with a code whether it is that one; narrows `details` to the code's fields.
 *
 * @example
 * if (isPgvectorMigrationError(error, 'PGVECTOR_NOT_AVAILABLE')) console.error(error.hint)
 */
export function isPgvectorMigrationError<Code extends ErrorCode = ErrorCode>(
  error: unknown,
  code?: Code,
): error is PgvectorMigrationError<Code> {
  if (typeof error !== 'object' || error === null || !(MARK in error)) return false
  return code === undefined || (error as { code?: unknown }).code === code
}

/** The SQLSTATE of a database error, recognised by shape: PGlite's error class has another name than pg's. */
export function sqlStateOf(error: unknown): string | undefined {
  // Node's EPIPE looks like one, and says which system call failed.
  if (typeof error !== 'object' || error === null || !('code' in error) || 'syscall' in error) return undefined
  return typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined
}

/** What an error says, whatever was thrown. */
export function errorMessage(error: unknown): string {
  if (error instanceof Error) return error.message
  return typeof error === 'string' ? error : inspect(error, { breakLength: Infinity })
}
