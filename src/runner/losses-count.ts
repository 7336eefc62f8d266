import type { Knex } from 'knex'

import { sqlStateOf } from '../errors.ts'
import { ask, send, type Database } from '../queryable.ts'
import type { LostPart } from './losses-catalog.ts'

/** How much there is. */
export interface Count {
  /** Null where nobody knows: it was not counted in time, and the server has no statistics. */
  readonly rows: number | null
  /** The server's statistics say so; it was not counted. */
  readonly isEstimate: boolean
}

/** The rows of a table, and the values (not null) of each of its columns that would be lost, in their order. */
export interface CountedPart {
  readonly table: Count
  readonly columns: readonly Count[]
}

/** Counts what would be lost, until the time is up; what is left then is estimated. */
export function counter(trx: Knex.Transaction, milliseconds: number): (part: LostPart) => Promise<CountedPart> {
  const deadline = performance.now() + milliseconds
  return async (part) => {
    const left = Math.ceil(deadline - performance.now())
    return (left > 0 ? await count(trx, part, left) : null) ?? estimate(trx, part)
  }
}

async function count(
  trx: Knex.Transaction,
  { table, columns }: LostPart,
  timeout: number,
): Promise<CountedPart | null> {
  const counts = ['*', ...columns.map(({ name }) => name)].map((what) => `count(${what})`)
  const question = `select json_build_array(${counts.join(', ')}) as state from ${table.name}`
  try {
    const [rows = 0, ...values] = await trx.transaction(async (savepoint) => {
      await send(savepoint, `set local statement_timeout = ${timeout}`)
      // The names come quoted from the server; Knex takes a question mark in one for a binding.
      return ask<number[]>(savepoint, question.replaceAll('?', '\\?'))
    })
    return { table: exactly(rows), columns: values.map(exactly) }
  } catch (error) {
    // It takes too long, somebody else is changing the table, or this role may not read it.
    if (sqlStateOf(error) === undefined) throw error
    return null
  }
}

async function estimate(trx: Database, { table, columns }: LostPart): Promise<CountedPart> {
  const shares = columns.map(
    ({ number }) => `, round(rows * (1 - coalesce((
      select s.null_frac from pg_catalog.pg_stats s
      join pg_catalog.pg_attribute a on a.attname = s.attname and a.attrelid = ${table.oid} and a.attnum = ${number}
      join pg_catalog.pg_class c on c.oid = a.attrelid and c.relname = s.tablename
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = s.schemaname
    ), 0)))`,
  )
  // reltuples is -1 where the table was never analysed. A partitioned table is the sum of its partitions.
  const [rows = null, ...values] = await ask<(number | null)[]>(
    trx,
    `with part as (
      select relid from pg_partition_tree(${table.oid}) union select ${table.oid}
    ),
    total as (
      select sum(nullif(c.reltuples, -1)) as rows from pg_catalog.pg_class c join part on part.relid = c.oid
      where c.relkind = 'r'
    )
    select json_build_array(round(rows)${shares.join('')}) as state from total`,
  )
  return { table: roughly(rows), columns: values.map(roughly) }
}

function exactly(rows: number): Count {
  return { rows, isEstimate: false }
}

function roughly(rows: number | null): Count {
  return { rows, isEstimate: true }
}
