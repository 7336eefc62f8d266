import { isPgvectorMigrationError, PgvectorMigrationError, sqlStateOf } from '../../core/errors.ts'
import { copyIn } from '../../database/copy-in.ts'
import { serverMessage } from '../../database/server-message.ts'
import { sessionOf, type Database, type Session } from '../../database/session.ts'
import { startCount, type CopyCount } from './count.ts'
import { encodeRows, type CopyRow } from './encode-rows.ts'
import { insertBatches } from './insert-batches.ts'
import { copyNames, parseCopyOptions, type CopyVectorsOptions } from './options.ts'
import { readCopyTarget, type CopyTarget } from './target.ts'

/** What {@link copyVectors} did. */
export interface CopyResult {
  /** The rows that the table has received; without those that a trigger discarded. */
  readonly rows: number
  readonly bytes: number
  readonly milliseconds: number
}

/**
 * Loads rows into a table as a stream, with COPY in PostgreSQL's binary format: the fastest way in. It reads the source no
 * faster than the server stores the rows, so memory stays constant. All rows are stored, or none.
 *
 * The embedded database, views and tables with row security take no COPY. They receive inserts with one binary array a
 * column, in one transaction.
 *
 * @param rows Objects with a value or null for each column. Other keys are ignored.
 *
 * @example
 * ```ts
 * const { rows } = await copyVectors(knex, 'documents', ['id', 'body', 'embedding'], readDocuments())
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS for a column that does not exist or has a type that is not copied;
 * RELATION_NOT_FOUND; COPY_FAILED, with the row; CONNECTION_LOST; UNSUPPORTED_DATABASE. An error of the source, and the reason
 * of the signal, are thrown unchanged.
 */
export async function copyVectors<Row extends object>(
  db: Database,
  table: string,
  columns: readonly (keyof Row & string)[],
  rows: AsyncIterable<Row> | Iterable<Row>,
  options: CopyVectorsOptions = {},
): Promise<CopyResult> {
  const { schema, signal, onEvent } = parseCopyOptions(options)
  const names = copyNames(table, columns, schema)
  assertIterable(rows)
  const session = sessionOf(db)
  const target = await readCopyTarget(session, names, true)
  const started = performance.now()
  const count = startCount(onEvent)
  const stored = await store(session, target, rows as AsyncIterable<CopyRow> | Iterable<CopyRow>, count, signal)
  count.end()
  return { rows: stored, bytes: count.bytes, milliseconds: Math.round(performance.now() - started) }
}

function assertIterable(rows: unknown): void {
  const isIterable =
    typeof rows === 'object' && rows !== null && (Symbol.asyncIterator in rows || Symbol.iterator in rows)
  if (isIterable) return
  throw new PgvectorMigrationError('INVALID_OPTIONS', { problems: ['rows: must be an iterable of rows'] })
}

async function store(
  session: Session,
  target: CopyTarget,
  rows: AsyncIterable<CopyRow> | Iterable<CopyRow>,
  count: CopyCount,
  signal: AbortSignal | undefined,
): Promise<number> {
  try {
    if (!target.takesCopy) return await insertBatches(session, target, rows, count, signal)
    const names = target.columns.map(({ name }) => name).join(', ')
    const statement = `copy ${target.table} (${names}) from stdin (format binary)`
    const copy = (on: Session): Promise<number> =>
      copyIn(on, statement, { chunks: encodeRows(target, rows, count), signal })
    // In a savepoint, so that a copy that fails does not end the caller's transaction.
    return await (session.isInTransaction ? session.transaction(copy) : copy(session))
  } catch (error) {
    throw explained(error, target)
  }
}

// COPY prints the number of the row, and the column, in the context of its error: in the language of the server.
const PLACE = /[,、]\D{0,20}(\d+)(?:, column ([^\n]+))?/

/** Names the row that the server refused. Other errors pass unchanged. */
function explained(error: unknown, { label }: CopyTarget): unknown {
  if (isPgvectorMigrationError(error) || sqlStateOf(error) === undefined) return error
  const { where } = error as { readonly where?: unknown }
  const [, row, column] = PLACE.exec(typeof where === 'string' ? where : '') ?? []
  const details = {
    table: label,
    row: row === undefined ? null : Number(row),
    column: column ?? null,
    problem: serverMessage(error),
  }
  return new PgvectorMigrationError('COPY_FAILED', details, { cause: error })
}
