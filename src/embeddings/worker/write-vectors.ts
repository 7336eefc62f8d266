import { sqlStateOf } from '../../core/errors.ts'
import { binaryArray } from '../../columns/binary-array.ts'
import type { Session } from '../../database/session.ts'
import { sqlState } from '../../database/sqlstate.ts'
import { serverMessage } from '../../database/server-message.ts'
import { keyParameters } from '../key-sql.ts'
import type { VectorTarget } from '../target.ts'
import type { SideTables } from './read-sql.ts'
import type { MadeRow, WriteResult } from './work-source.ts'
import { writeSql } from './write-sql.ts'

const CONFLICTS = new Set<string | undefined>([
  sqlState.serializationFailure,
  sqlState.deadlockDetected,
  sqlState.lockNotAvailable,
])

/** Writes vectors as one array in binary format, so that one statement serves any number of rows. */
export async function writeVectors(
  session: Session,
  target: VectorTarget,
  side: SideTables | null,
  made: readonly MadeRow[],
): Promise<WriteResult> {
  const keys = keyParameters(
    target.key,
    made.map(({ key }) => key),
  )
  const values = [
    ...keys.values,
    made.map(({ hash }) => hash),
    made.map(({ seen }) => String(seen.at(-1) ?? 0)),
    binaryArray(
      target.column,
      made.map(({ value }) => value),
    ),
    ...(side === null ? [] : [made.flatMap(({ seen }) => seen.map(String))]),
  ]
  try {
    return await session.askAsCaller<WriteResult>(writeSql(target, side, keys), values)
  } catch (error) {
    // Another session was using the rows.
    if (CONFLICTS.has(sqlStateOf(error))) return { results: made.map(() => 'locked'), milliseconds: null }
    throw withoutStatement(error)
  }
}

// Knex puts the whole statement in front of the server's message.
function withoutStatement(error: unknown): unknown {
  if (sqlStateOf(error) === undefined) return error
  return Object.assign(new Error(serverMessage(error)), error)
}
