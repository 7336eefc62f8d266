import { PgvectorMigrationError } from '../core/errors.ts'
import { firstWords, splitStatements } from './split-statements.ts'
import { significantTokens } from './tokens.ts'

/**
 * Refuses a statement that would end the transaction of a rehearsal and so make its changes permanent.
 *
 * @throws {PgvectorMigrationError} INVALID_MIGRATION
 */
export function refuseToEndTransaction(sql: string, migration: string): void {
  const found = splitStatements(sql).find(endsTransaction)
  if (found === undefined) return
  const [first] = significantTokens(found)
  throw new PgvectorMigrationError(
    'INVALID_MIGRATION',
    {
      file: migration,
      problem: `it ends its transaction itself (${found.slice(first?.start)}), so it cannot be rehearsed`,
    },
    { hint: 'Remove the statement: every migration runs in its own transaction, which the runner commits.' },
  )
}

function endsTransaction(statement: string): boolean {
  const [first = '', second = '', third = ''] = firstWords(statement, 3)
  if (first === 'rollback') return (second === 'work' || second === 'transaction' ? third : second) !== 'to'
  return ['commit', 'abort', 'end'].includes(first) || (first === 'prepare' && second === 'transaction')
}
