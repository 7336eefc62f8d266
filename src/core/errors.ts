import { inspect, type InspectOptions } from 'node:util'

import { messages, type ErrorCode, type ErrorDetails, type LockHolder } from './error-messages.ts'
import { printableDetails } from './printable-details.ts'
import { printable } from './printable.ts'

export type { ErrorCode, ErrorDetails, LockHolder }

const DOCS_URL = 'https://github.com/knex-pgvector/knex-pgvector/blob/main/docs/errors.md'

// A registered symbol, so that an error from another copy of this package, or from jest's realm, is still recognised.
const MARK = Symbol.for('knex-pgvector.PgvectorMigrationError')

/** The optional parts of an error. */
export interface ErrorExtras {
  /** Replaces the catalogue's hint if the server or its provider needs a different one. */
  readonly hint?: string | undefined
  /** The database error behind this one, unchanged. */
  readonly cause?: unknown
}

/**
 * The error that this library throws: a stable `code`, a one-sentence message, and what to do next.
 *
 * @example
 * catch (error) {
 *   if (isPgvectorMigrationError(error, 'PGVECTOR_VERSION_TOO_LOW')) console.error(error.details.minimum, error.hint)
 *   throw error
 * }
 */
export class PgvectorMigrationError<Code extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'PgvectorMigrationError'
  /** Stable, and part of the public contract. Every code has a heading in docs/errors.md. */
  readonly code: Code
  /** The facts of this error, typed by its code. */
  readonly details: ErrorDetails[Code]
  /** What to do next, in the imperative. */
  readonly hint: string
  /** The SQLSTATE of the underlying database error, if there is one, even behind another error of this library. */
  readonly sqlState: string | undefined
  /** The page that explains the code. */
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
    // Stock Knex prints only the stack of an error, so the stack has to contain the next step.
    const said = `${message}\n  Next: ${this.hint}\n  Docs: ${this.docsUrl}`
    if (this.stack !== undefined) this.stack = this.stack.replace(message, () => said)
  }

  /**
   * Returns what is safe to log: everything except `cause`, whose message has the statement as it was sent, including
   * passwords.
   */
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
 * Whether `error` comes from this library and, if a code is given, has that code. It narrows `details` to the fields of
 * the code.
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

/**
 * Returns the SQLSTATE of a database error, recognised by shape: PGlite's error class has a different name from pg's.
 */
export function sqlStateOf(error: unknown): string | undefined {
  // Node's EPIPE looks like a SQLSTATE, but names the system call that failed.
  if (typeof error !== 'object' || error === null || !('code' in error) || 'syscall' in error) return undefined
  return typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined
}

/** Returns the message of an error, whatever was thrown. */
export function errorMessage(error: unknown): string {
  if (error instanceof Error) return error.message
  return typeof error === 'string' ? error : inspect(error, { breakLength: Infinity })
}
