import { PgvectorMigrationError, sqlStateOf } from '../core/errors.ts'
import { type Database, type Session, sessionOf } from '../database/session.ts'
import { identifier } from '../core/sql.ts'
import { serverMessage } from '../database/server-message.ts'
import { sqlState } from '../database/sqlstate.ts'
import { usageDenied } from './assess.ts'
import { verifyNodes } from './cluster/verify-nodes.ts'
import { glance } from './glance.ts'
import type { Glance } from './state.ts'
import { isAtLeast } from '../pgvector/version.ts'

/** A distance operator, the release that introduced it, and its result for [1,2,3] and [4,5,6]. */
interface OperatorCheck {
  readonly operator: string
  readonly since: string
  readonly expected: number
}

const operatorChecks = [
  { operator: '<->', since: '0.1.0', expected: Math.sqrt(27) },
  { operator: '<#>', since: '0.1.0', expected: -32 },
  { operator: '<=>', since: '0.1.0', expected: 1 - 32 / Math.sqrt(14 * 77) },
  { operator: '<+>', since: '0.7.0', expected: 9 },
] as const satisfies readonly OperatorCheck[]

const TOLERANCE = 1e-6

/**
 * Tests the extension in use: text casts to vector, and every distance operator returns the correct number.
 *
 * All names are qualified, so it works with the extension in any schema.
 *
 * @example await verifyPgvector(knex)
 *
 * @throws {PgvectorMigrationError} INSUFFICIENT_PRIVILEGE, or VERIFICATION_FAILED with what failed. PGVECTOR_NOT_AVAILABLE is
 * not checked here: if the extension is not enabled, VERIFICATION_FAILED says so. On a Citus cluster also
 * CITUS_NODES_NOT_READY.
 */
export async function verifyPgvector(db: Database): Promise<void> {
  const session = sessionOf(db)
  const seen = await glance(session)
  const { installed } = seen
  if (installed?.reach === 'none') throw usageDenied(installed)
  await verifyInstalled(session, installed)
  if (seen.isCitus && installed !== null) await verifyNodes(session, installed.version)
}

/**
 * Runs the same test in a function that has a session. If the role lacks USAGE on the schema, the server's own error is
 * thrown.
 */
export async function verify(session: Session): Promise<void> {
  await verifyInstalled(session, (await glance(session)).installed)
}

async function verifyInstalled(session: Session, installed: Glance['installed']): Promise<void> {
  if (installed === null) {
    throw new PgvectorMigrationError('VERIFICATION_FAILED', { problems: ['the extension vector is not enabled here'] })
  }
  // Runs in its own transaction, or in a savepoint of the caller's, because a missing operator aborts it.
  await session.transaction((trx) => verifyIn(trx, installed.schema, installed.version), {
    isBrief: true,
    readOnly: true,
  })
}

/**
 * Runs the test itself, in a transaction that may be aborted. What is `noted` about a success is sent along, to save a
 * round trip; a failure rolls it back.
 */
export async function verifyIn(
  trx: Session,
  schema: string,
  version: string,
  noted: readonly string[] = [],
): Promise<void> {
  const checks = operatorChecks.filter(({ since }) => isAtLeast(version, since))
  const answers = await readDistances(trx, schema, checks, noted)
  const problems = checks.flatMap(({ operator, expected }, index) => {
    const answer = answers[index]
    if (answer !== undefined && answer !== null && Math.abs(answer - expected) < TOLERANCE) return []
    return [`'[1,2,3]' ${operator} '[4,5,6]' is ${answer ?? 'unknown'} instead of ${expected}`]
  })
  if (problems.length > 0) throw new PgvectorMigrationError('VERIFICATION_FAILED', { problems })
}

const notFunctional = new Set<string | undefined>([
  sqlState.undefinedObject, // the type is missing
  sqlState.undefinedFunction, // an operator or its function is missing
  sqlState.undefinedFile, // the library is missing
  sqlState.internalError, // the library cannot be loaded
])

async function readDistances(
  trx: Session,
  schema: string,
  checks: readonly OperatorCheck[],
  noted: readonly string[],
): Promise<readonly (number | null)[]> {
  const at = identifier(schema)
  const distances = checks.map(({ operator }) => `a operator(${at}.${operator}) b`)
  try {
    const sql = `select pg_catalog.json_build_array(${distances.join(', ')}) as state
      from (select '[1,2,3]'::${at}.vector as a, '[4,5,6]'::${at}.vector as b) as sample`
    return noted.length === 0 ? await trx.ask(sql) : await trx.sendAndAsk(noted, sql)
  } catch (error) {
    if (!notFunctional.has(sqlStateOf(error))) throw error
    throw new PgvectorMigrationError('VERIFICATION_FAILED', { problems: [serverMessage(error)] }, { cause: error })
  }
}
