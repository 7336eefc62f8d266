import { isPgvectorMigrationError } from '../core/errors.ts'
import { connectionProblem, connectionRemedy } from '../database/connection-remedies.ts'
import type { Session } from '../database/session.ts'
import { findingsOf, type Finding } from './finding.ts'

const { ok, error: failure } = findingsOf('connection')

/** Explains why there is no connection; null if the error has another cause. */
export function connectionFinding(failed: unknown): Finding | null {
  const isLost = isPgvectorMigrationError(failed, 'CONNECTION_LOST')
  if (isLost && failed.cause === undefined) return failure(failed.message, failed.hint)
  const error = isLost ? failed.cause : failed
  if (!(error instanceof Error)) return null
  const next = connectionRemedy(error)
  return next === null ? null : failure(`No connection to the database: ${connectionProblem(error)}`, next)
}

/** The current session. */
export interface Caller {
  readonly database: string
  readonly role: string
  /** The setting, as it can be written in a statement. */
  readonly searchPath: string
}

export function readCaller(session: Session): Promise<Caller> {
  return session.ask(`select json_build_object('database', current_database(), 'role', current_user,
      'searchPath', current_setting('search_path')) as state`)
}

export function callerFindings({ database, role }: Caller): Finding[] {
  return [ok(`connected to the database ${database} as the role ${role}`)]
}
