import { copyOut } from '../../database/copy-out.ts'
import { readByCursor } from '../../database/cursor.ts'
import { sessionOf, type Database, type Session } from '../../database/session.ts'
import { copyNames, parseReadOptions, type ReadVectorsOptions } from './options.ts'
import { readCopyTarget, type CopyNames, type CopyTarget } from './target.ts'
import { tuplesIn, type Fields } from './tuples.ts'

const BATCH_ROWS = 500

/**
 * Reads rows of a table as a stream, with COPY in PostgreSQL's binary format: the reverse of {@link copyVectors}. It reads no
 * faster than you take the rows, and holds a connection until then. The rows are those of one moment, in no particular order.
 *
 * Vectors are as {@link fromBinary} returns them, other values as node-postgres returns them.
 *
 * @example
 * ```ts
 * for await (const { id, embedding } of readVectors(knex, 'documents', ['id', 'embedding'])) await store(id, embedding)
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS for a column that does not exist or has a type that is not copied;
 * RELATION_NOT_FOUND; CONNECTION_LOST; UNSUPPORTED_DATABASE.
 */
export function readVectors<Row extends object = Record<string, unknown>>(
  db: Database,
  table: string,
  columns: readonly (keyof Row & string)[],
  options: ReadVectorsOptions = {},
): AsyncGenerator<Row, void, undefined> {
  const { schema, where } = parseReadOptions(options)
  const names = copyNames(table, columns, schema)
  return readRows(sessionOf(db), names, where) as AsyncGenerator<Row, void, undefined>
}

async function* readRows(
  session: Session,
  names: CopyNames,
  where: string | undefined,
): AsyncGenerator<Record<string, unknown>, void, undefined> {
  const target = await readCopyTarget(session, names, false)
  const condition = where === undefined ? '' : ` where ${where}`
  const query = (chosen: readonly string[]): string => `select ${chosen.join(', ')} from ${target.table}${condition}`
  const batches = target.isEmbedded
    ? fieldsByCursor(readByCursor(session, query(sent(target)), BATCH_ROWS))
    : tuplesIn(copyOut(session, `copy (${query(target.columns.map(({ name }) => name))}) to stdout (format binary)`))
  for await (const batch of batches) for (const fields of batch) yield rowOf(target, fields)
}

function sent({ columns }: CopyTarget): string[] {
  return columns.map(({ name, codec }, place) => `${codec.send}(${name}) as field_${place}`)
}

async function* fieldsByCursor(
  batches: AsyncIterable<readonly Readonly<Record<string, unknown>>[]>,
): AsyncGenerator<readonly Fields[]> {
  for await (const batch of batches) yield batch.map((row) => Object.values(row) as (Buffer | null)[])
}

function rowOf({ columns }: CopyTarget, fields: Fields): Record<string, unknown> {
  const row: Record<string, unknown> = {}
  for (const [place, { key, codec }] of columns.entries()) {
    const bytes = fields[place] ?? null
    row[key] = bytes === null ? null : codec.read(bytes)
  }
  return row
}
