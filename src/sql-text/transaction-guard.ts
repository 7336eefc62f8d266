import { PgvectorMigrationError } from '../core/errors.ts'

// Comments and everything in quotes: a semicolon or a commit in there ends nothing.
const QUOTED =
  /--[^\n]*|\/\*[\s\S]*?\*\/|(\$\w*\$)[\s\S]*?\1|\be'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"/gi

const ENDS_TRANSACTION = /^(commit|rollback(?!\s+(work\s+|transaction\s+)?to\b)|abort|prepare\s+transaction)\b/i

/**
 * Refuses a statement that would end the transaction of a rehearsal, and so make it real.
 *
 * @throws {PgvectorMigrationError} INVALID_MIGRATION
 */
export function refuseToEndTransaction(sql: string, migration: string): void {
  const statements = sql.replaceAll(QUOTED, ' ').split(';')
  // In the body of an SQL function, end is no commit.
  const isBody = /\bbegin\s+atomic\b/i.test(sql)
  const found = statements
    .map((statement) => statement.trim())
    .find((statement) => ENDS_TRANSACTION.test(statement) || (!isBody && /^end\b/i.test(statement)))
  if (found === undefined) return
  throw new PgvectorMigrationError(
    'INVALID_MIGRATION',
    { file: migration, problem: `it ends its transaction itself (${found}), so it cannot be rehearsed` },
    { hint: 'Take the statement out: every migration runs in a transaction of its own that the runner commits.' },
  )
}
