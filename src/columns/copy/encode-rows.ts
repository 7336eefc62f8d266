import { PgvectorMigrationError } from '../../core/errors.ts'
import { ByteWriter } from './byte-writer.ts'
import type { CopyCount } from './count.ts'
import type { CopyColumn, CopyTarget } from './target.ts'

/** A row to copy: a value for each column. */
export type CopyRow = Readonly<Record<string, unknown>>

// The signature of the format, without flags and extensions.
const HEADER = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)])
const END = -1
const NULL = -1

const CHUNK_BYTES = 128 * 1024

/** Encodes rows as COPY … (format binary) reads them, in chunks, no faster than these are taken. */
export async function* encodeRows(
  target: CopyTarget,
  rows: AsyncIterable<CopyRow> | Iterable<CopyRow>,
  count: CopyCount,
): AsyncGenerator<Buffer, void, undefined> {
  const to = new ByteWriter(CHUNK_BYTES)
  to.raw(HEADER)
  const { columns } = target
  for await (const row of rows) {
    count.rows += 1
    to.int16(columns.length)
    for (const column of columns) writeField(target, column, row, count.rows, to)
    if (to.length < CHUNK_BYTES) continue
    const chunk = to.take()
    count.bytes += chunk.length
    count.report()
    yield chunk
  }
  to.int16(END)
  const last = to.take()
  count.bytes += last.length
  yield last
}

/** Writes a value with its length in front. */
export function writeField(
  { label }: Pick<CopyTarget, 'label'>,
  { key, codec }: CopyColumn,
  row: CopyRow,
  number: number,
  to: ByteWriter,
): void {
  const value = valueOf(row, key)
  if (value === null) return to.int32(NULL)
  const problem = to.withLength(() => (value === undefined ? MISSING : codec.write(value, to)))
  if (problem === null) return
  throw new PgvectorMigrationError('COPY_FAILED', { table: label, row: number, column: key, problem })
}

// An insert of Knex would store the default for it, and COPY cannot.
const MISSING = 'is undefined. Pass null to store no value, or omit the column for its default'

function valueOf(row: unknown, key: string): unknown {
  return typeof row === 'object' && row !== null ? Reflect.get(row, key) : undefined
}
