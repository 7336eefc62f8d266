import { identifier } from '../../core/sql.ts'
import { isSameKey, keyColumns, keyNames, type KeyParameters } from '../key-sql.ts'
import { sourceHashSql } from '../source-hash.ts'
import type { VectorTarget } from '../target.ts'

/** A row of the answer to {@link readSql}. */
export interface ReadRow {
  /** Its place among the keys that were asked for, from 1. */
  readonly place: number
  /** Null if there is no such row. */
  readonly row: Readonly<Record<string, unknown>> | null
  readonly hash: string | null
  /** Whether it has a vector. */
  readonly hasVector: boolean
  /** Whether its vector was made of what the row says now. */
  readonly isInStep: boolean
  readonly seen: readonly number[]
  readonly rounds: number
}

/** The tables of stale rows; null for rows that are only backfilled. */
export interface SideTables {
  readonly marks: string
  readonly claims: string
  /** The column for the hash. */
  readonly hash: string
}

/**
 * Returns the query that reads the rows of keys with their marks, in one snapshot: a later change of a row leaves
 * a mark that is not among those seen. It returns the first rows whose texts fit into so many bytes, and at least one.
 */
export function readSql(
  target: VectorTarget,
  side: SideTables | null,
  { arrays }: KeyParameters,
  bytes: number,
): string {
  const { from, alias, key, read, column } = target
  const columns = keyColumns(key, alias)
  const vector = `${alias}.${identifier(column.name)}`
  const given = keyNames(key, 'given')
  const sizes = read.map(
    ({ name }) => `coalesce(pg_catalog.octet_length(${alias}.${identifier(name)}::pg_catalog.text), 0)`,
  )
  return `select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('place', place, 'row', "row", 'hash', hash,
      'hasVector', has_vector, 'isInStep', is_in_step, 'seen', seen, 'rounds', rounds) order by place), '[]') as state
    from (
      select given.place, case when ${columns[0]} is not null then (
          select pg_catalog.to_json(chosen)
          from (select ${read.map(({ name, as }) => `${alias}.${identifier(name)} as ${identifier(as)}`).join(', ')}) as chosen
        ) end as "row",
        pg_catalog.encode(made.hash, 'hex') as hash,
        coalesce(${vector} is not null, false) as has_vector,
        ${side === null ? 'false' : `coalesce(${vector} is not null and ${alias}.${identifier(side.hash)} operator(pg_catalog.=) made.hash, false)`} as is_in_step,
        ${side === null ? `'[]'::pg_catalog.json` : seenSql(target, side, given)} as seen,
        ${side === null ? '0' : roundsSql(target, side, given)} as rounds
      from (
        select given.*, pg_catalog.sum(size) over (order by place) operator(pg_catalog.-) size as before
        from (
          select given.*, coalesce((
            select ${sizes.join(' operator(pg_catalog.+) ')} from ${from} as ${alias} where ${isSameKey(key, columns, given)}
          ), 0) as size
          from rows from (${arrays.join(', ')}) with ordinality as given (${keyNames(key).join(', ')}, place)
        ) as given
      ) as given
      left join ${from} as ${alias} on ${isSameKey(key, columns, given)}
      cross join lateral (select case when ${columns[0]} is not null then ${sourceHashSql(target)} end as hash) as made
      where given.before operator(pg_catalog.<) ${bytes}
    ) as found`
}

function seenSql({ key }: VectorTarget, { marks }: SideTables, given: readonly string[]): string {
  return `(
    select coalesce(pg_catalog.json_agg(m.seq order by m.seq), '[]') from ${marks} as m
    where ${isSameKey(key, keyNames(key, 'm'), given)})`
}

function roundsSql({ key }: VectorTarget, { claims }: SideTables, given: readonly string[]): string {
  return `coalesce((select c.attempts from ${claims} as c where ${isSameKey(key, keyNames(key, 'c'), given)}), 0)`
}
