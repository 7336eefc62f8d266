import { PgvectorMigrationError, isPgvectorMigrationError, sqlStateOf, type ErrorExtras } from '../core/errors.ts'
import { nodeOf, serverMessage } from './server-message.ts'

/** The SQLSTATEs that this library handles, with the names in PostgreSQL's errcodes.txt. */
export const sqlState = {
  protocolViolation: '08P01',
  featureNotSupported: '0A000',
  invalidParameterValue: '22023',
  notNullViolation: '23502',
  uniqueViolation: '23505',
  readOnlyTransaction: '25006',
  idleInTransactionSessionTimeout: '25P03',
  transactionTimeout: '25P04',
  dependentObjectsStillExist: '2BP01',
  serializationFailure: '40001',
  deadlockDetected: '40P01',
  invalidSchemaName: '3F000',
  insufficientPrivilege: '42501',
  undefinedTable: '42P01',
  undefinedColumn: '42703',
  undefinedObject: '42704',
  undefinedFunction: '42883',
  duplicateObject: '42710',
  duplicateFunction: '42723',
  duplicateTable: '42P07',
  lockNotAvailable: '55P03',
  queryCanceled: '57014',
  adminShutdown: '57P01',
  crashShutdown: '57P02',
  idleSessionTimeout: '57P05',
  undefinedFile: '58P01',
  internalError: 'XX000',
} as const

/** The operation that the database refused, for an error in our words. */
export interface Attempt {
  readonly statement: 'CREATE EXTENSION' | 'ALTER EXTENSION' | 'DROP EXTENSION' | 'CREATE SCHEMA'
  readonly role: string
  readonly major: number
  readonly schema: string
  readonly installed: string | null
  readonly target: string | null
  /** The remedies of this provider, if they differ from the catalogue's. */
  readonly hints: {
    readonly notAvailable?: string | undefined
    readonly privilege?: string | undefined
  }
}

const UNDEFINED: ReadonlySet<string | undefined> = new Set([
  sqlState.undefinedTable,
  sqlState.undefinedObject,
  sqlState.undefinedFunction,
])

/** Whether a statement failed because a table, a function, a type or another object does not exist. */
export function isUndefined(state: string | undefined): boolean {
  return UNDEFINED.has(state)
}

const MADE_MEANWHILE: ReadonlySet<string | undefined> = new Set([
  sqlState.uniqueViolation,
  sqlState.duplicateTable,
  sqlState.duplicateObject,
])

/**
 * Whether two sessions changed the same thing at once. Look again, because the other session may have done the work.
 */
export function isRace(error: unknown): boolean {
  const state = sqlStateOf(error)
  // Two sessions in `create … if not exists` can both find nothing. The slower one then fails on a catalog's unique
  // index, or on what the faster one has created: an extension, a table, or a table's row type.
  if (MADE_MEANWHILE.has(state)) return true
  return state === sqlState.internalError && /tuple concurrently (updated|deleted)/.test(serverMessage(error))
}

/**
 * Translates known database errors into ours, with the original as cause. Others pass unchanged. Only this function
 * translates.
 */
export function translate(error: unknown, attempt: Attempt): unknown {
  if (isPgvectorMigrationError(error)) return error
  const node = nodeOf(error)
  const extras = (hint?: string): ErrorExtras => ({
    cause: error,
    ...(hint === undefined && node === null ? {} : { hint: node === null ? hint : onNode(node, hint) }),
  })
  const code: string = sqlStateOf(error) ?? ''
  switch (code) {
    case sqlState.insufficientPrivilege:
      return new PgvectorMigrationError(
        'INSUFFICIENT_PRIVILEGE',
        { statement: attempt.statement, role: attempt.role },
        extras(attempt.hints.privilege),
      )
    case sqlState.featureNotSupported: // PostgreSQL 15 and later; also the allow-list of a provider
    case sqlState.undefinedFile: // PostgreSQL 14
      return new PgvectorMigrationError(
        'PGVECTOR_NOT_AVAILABLE',
        { major: attempt.major },
        extras(attempt.hints.notAvailable),
      )
    case sqlState.invalidParameterValue:
      return new PgvectorMigrationError(
        'PGVECTOR_NO_UPDATE_PATH',
        { installed: attempt.installed, target: attempt.target ?? 'its default version' },
        extras(),
      )
    case sqlState.duplicateObject:
    case sqlState.duplicateFunction:
      return conflict(error, attempt, extras())
    case sqlState.readOnlyTransaction:
      return new PgvectorMigrationError('READ_ONLY', { reason: 'transaction', primary: null }, extras())
    case sqlState.invalidSchemaName:
      return new PgvectorMigrationError('SCHEMA_NOT_FOUND', { schema: attempt.schema }, extras())
    default:
      return error
  }
}

function onNode(
  node: string,
  hint = 'Install the same release of pgvector on every node, then run this again.',
): string {
  return `The error comes from the Citus node ${node}. ${hint}`
}

// The server names the object only in its message: type "vector" already exists, function "l1_distance" already exists…
function conflict(error: unknown, attempt: Attempt, extras: ErrorExtras): unknown {
  const found = /(type|function|access method) "([^"]+)" already exists/.exec(serverMessage(error))
  if (found === null) return error
  const [, kind, name = ''] = found
  if (kind === 'access method') {
    return new PgvectorMigrationError('ACCESS_METHOD_CONFLICT', { name, extension: null }, extras)
  }
  return new PgvectorMigrationError(
    'TYPE_CONFLICT',
    { name, kind: kind === 'function' ? 'function' : 'type', schema: attempt.schema, extension: null },
    extras,
  )
}
