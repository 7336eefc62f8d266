import { isPgvectorMigrationError, PgvectorMigrationError, sqlStateOf } from '../core/errors.ts'
import { nodeOf, serverMessage } from './server-message.ts'
import { sqlState } from './sqlstate.ts'

// Citus has no SQLSTATEs of its own for these, and its messages are not translated.
const NOT_HERE = /operation is not allowed on this node/
const PARALLEL = /there was a parallel (?:operation|DDL access)/

/** Explains an error of Citus that has no SQLSTATE of its own. Other errors pass unchanged. */
export function explainCitus(error: unknown): unknown {
  if (isPgvectorMigrationError(error) || sqlStateOf(error) !== sqlState.internalError) return error
  const problem = serverMessage(error)
  if (NOT_HERE.test(problem)) return new PgvectorMigrationError('CITUS_WORKER', { coordinator: null }, { cause: error })
  if (!PARALLEL.test(problem)) return error
  return new PgvectorMigrationError('CITUS_REFUSED', { problem, node: nodeOf(error) }, { cause: error })
}
