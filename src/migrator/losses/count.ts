import { sqlStateOf } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import type { LostPart, StoredColumn } from './catalog.ts'

/** A number of rows or values. */
export interface Count {
  /** Null if unknown: the count did not finish in time, and the server has no statistics. */
  readonly rows: number | null
  /** Whether the number comes from the server's statistics, not from a count. */
  readonly isEstimate: boolean
}

/** A table that would be lost, with its rows. */
export interface LostTable extends Count {
  readonly table: string
}

/**
 * A column that would be lost, with its non-null values: of a table that remains, or vectors of a table that does not.
 */
export interface LostColumn extends Count {
  readonly table: string
  readonly column: string
  readonly type: string
  readonly isVector: boolean
}

/** The rows of a table, and the non-null values of each of its lost columns, in order. */
interface CountedPart {
  readonly table: Count
  readonly values: readonly (Count & { readonly column: StoredColumn })[]
}

/** Counts what would be lost, and estimates what cannot be counted in time. */
export async function countAll(
  trx: Session,
  lost: readonly LostPart[],
  timeout: number,
): Promise<{ readonly tables: readonly LostTable[]; readonly columns: readonly LostColumn[] }> {
  const counts = counter(trx, timeout)
  const tables: LostTable[] = []
  const columns: LostColumn[] = []
  for (const part of lost) {
    const { table, values } = await counts(part)
    const { name } = part.table
    if (part.isWhole) tables.push({ table: name, ...table })
    for (const { column, ...amount } of values) {
      columns.push({ table: name, column: column.name, type: column.type, isVector: column.isVector, ...amount })
    }
  }
  return { tables, columns }
}

// Counts until the time is up. The rest is estimated.
function counter(trx: Session, milliseconds: number): (part: LostPart) => Promise<CountedPart> {
  const deadline = performance.now() + milliseconds
  return async (part) => {
    const left = Math.ceil(deadline - performance.now())
    return (left > 0 ? await count(trx, part, left) : null) ?? estimate(trx, part)
  }
}

async function count(trx: Session, part: LostPart, timeout: number): Promise<CountedPart | null> {
  const counts = ['*', ...part.columns.map(({ name }) => name)].map((what) => `pg_catalog.count(${what})`)
  const question = `select pg_catalog.json_build_array(${counts.join(', ')}) as state from ${part.table.name}`
  try {
    const numbers = await trx.transaction(async (savepoint) => {
      await savepoint.send(`set local statement_timeout = ${timeout}`)
      return savepoint.askAsCaller<number[]>(question)
    })
    return counted(part, false, numbers)
  } catch (error) {
    // The count takes too long, conflicts with another session's lock, or this role may not read the table.
    if (sqlStateOf(error) === undefined) throw error
    return null
  }
}

async function estimate(trx: Session, part: LostPart): Promise<CountedPart> {
  const { oid } = part.table
  const shares = part.columns.map(
    ({ number }) => `, round(rows * (1 - coalesce((
      select s.null_frac from pg_catalog.pg_stats s
      join pg_catalog.pg_attribute a on a.attname = s.attname and a.attrelid = ${oid} and a.attnum = ${number}
      join pg_catalog.pg_class c on c.oid = a.attrelid and c.relname = s.tablename
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = s.schemaname
    ), 0)))`,
  )
  // reltuples is -1 if the table was never analyzed. A partitioned table is the sum of its partitions.
  const numbers = await trx.ask<(number | null)[]>(`with part as (
      select relid from pg_partition_tree(${oid}) union select ${oid}
    ),
    total as (
      select sum(nullif(c.reltuples, -1)) as rows from pg_catalog.pg_class c join part on part.relid = c.oid
      where c.relkind = 'r'
    )
    select json_build_array(round(rows)${shares.join('')}) as state from total`)
  return counted(part, true, numbers)
}

// The first number is the rows; the others are the values of the columns.
function counted(
  { columns }: LostPart,
  isEstimate: boolean,
  [rows = null, ...values]: readonly (number | null)[],
): CountedPart {
  return {
    table: { rows, isEstimate },
    values: columns.map((column, index) => ({ column, rows: values[index] ?? null, isEstimate })),
  }
}
