import { isPgvectorMigrationError, PgvectorMigrationError, sqlStateOf } from '../../core/errors.ts'
import { serverMessage } from '../../database/server-message.ts'
import type { Session } from '../../database/session.ts'
import { arrayOf } from '../binary-array.ts'
import { ByteWriter } from './byte-writer.ts'
import type { CopyCount } from './count.ts'
import { writeField, type CopyRow } from './encode-rows.ts'
import type { CopyColumn, CopyTarget } from './target.ts'
import { untilAborted } from './until-aborted.ts'

const BATCH_ROWS = 500
const BATCH_BYTES = 4 * 1024 * 1024

/**
 * Inserts rows in one transaction, in batches of one binary array a column, with the result of a COPY: of identity columns
 * too, the given values are stored.
 */
export async function insertBatches(
  session: Session,
  target: CopyTarget,
  rows: AsyncIterable<CopyRow> | Iterable<CopyRow>,
  count: CopyCount,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { table, columns } = target
  const names = columns.map(({ name }) => name).join(', ')
  const arrays = columns.map(({ codec }, place) => `pg_catalog.unnest($${place + 1}::${codec.type}[])`).join(', ')
  const insert = `insert into ${table} (${names}) overriding system value select * from rows from (${arrays}) as given`
  const bindingsOf = (batch: readonly Fields[]): Buffer[] =>
    columns.map(({ codec: { oid, type, textOf } }, place) => {
      const fields = batch.map((row) => row[place] ?? null)
      return arrayOf({ oid, kind: { name: type, textOf } }, fields)
    })
  return session.transaction(async (trx) => {
    // In a savepoint, so that the rows can be tried one by one if the server refuses one of them.
    const send = (batch: readonly Fields[]): Promise<number> =>
      trx.transaction((savepoint) => savepoint.sendRows(insert, bindingsOf(batch)))
    let stored = 0
    for await (const batch of batchesOf(target, untilAborted(rows, signal), count)) {
      try {
        stored += await send(batch)
      } catch (error) {
        await refuseFirst(target, batch, count.rows - batch.length, send)
        throw error
      }
      count.report()
    }
    return stored
  })
}

/** Throws the server's error for the first row that it refuses, with the number of the row. */
async function refuseFirst(
  { label }: CopyTarget,
  batch: readonly Fields[],
  before: number,
  send: (batch: readonly Fields[]) => Promise<unknown>,
): Promise<void> {
  for (const [place, fields] of batch.entries()) {
    await send([fields]).catch((error: unknown) => {
      if (sqlStateOf(error) === undefined || isPgvectorMigrationError(error)) throw error
      const details = { table: label, row: before + place + 1, column: null, problem: serverMessage(error) }
      throw new PgvectorMigrationError('COPY_FAILED', details, { cause: error })
    })
  }
}

type Fields = readonly (Buffer | null)[]

async function* batchesOf(
  target: CopyTarget,
  rows: AsyncIterable<CopyRow>,
  count: CopyCount,
): AsyncGenerator<readonly Fields[]> {
  let batch: Fields[] = []
  let bytes = 0
  for await (const row of rows) {
    count.rows += 1
    const fields = target.columns.map((column) => fieldOf(target, column, row, count.rows))
    const size = fields.reduce((sum, field) => sum + (field?.length ?? 0), 0)
    count.bytes += size
    bytes += size
    batch.push(fields)
    if (batch.length < BATCH_ROWS && bytes < BATCH_BYTES) continue
    yield batch
    batch = []
    bytes = 0
  }
  if (batch.length > 0) yield batch
}

const LENGTH_BYTES = 4
const FIELD_BYTES = 256

function fieldOf(target: CopyTarget, column: CopyColumn, row: CopyRow, number: number): Buffer | null {
  const to = new ByteWriter(FIELD_BYTES)
  writeField(target, column, row, number, to)
  const field = to.take()
  return field.readInt32BE() < 0 ? null : field.subarray(LENGTH_BYTES)
}
