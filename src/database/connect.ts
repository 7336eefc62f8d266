import Knex from 'knex'

import { PgvectorMigrationError } from '../core/errors.ts'
import { sessionOf, type Database, type Session } from './session.ts'
import { assertConfig } from './supported.ts'

/** A session, and whether this library opened its connections. */
export interface Connected {
  readonly session: Session
  /** Closes the connections if this library opened them. */
  readonly close: () => Promise<void>
}

/**
 * Creates a session from a Knex instance or a configuration, for functions that need their own transactions and lock.
 *
 * @throws {PgvectorMigrationError} UNSUPPORTED_DATABASE, or INVALID_OPTIONS if it is a transaction.
 */
export function connectTo(knexOrConfig: Database | Knex.Knex.Config): Connected {
  if (typeof knexOrConfig === 'function') {
    const session = sessionOf(knexOrConfig)
    // The run's lock and tables would wait for the caller's transaction, and that transaction for the run.
    if (session.isInTransaction) throw invalid('knex: must be a Knex instance, not a transaction')
    return { session, close: () => Promise.resolve() }
  }
  if (typeof knexOrConfig !== 'object' || knexOrConfig === null) {
    throw invalid('knex: must be a Knex instance or its configuration')
  }
  assertConfig(knexOrConfig)
  const knex = Knex(knexOrConfig)
  return { session: sessionOf(knex), close: () => knex.destroy() }
}

function invalid(problem: string): PgvectorMigrationError {
  return new PgvectorMigrationError('INVALID_OPTIONS', { problems: [problem] })
}
