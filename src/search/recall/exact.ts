import { inExtension, tableOf, typeSql } from '../../columns/column.ts'
import { sqlStateOf } from '../../core/errors.ts'
import { identifier } from '../../core/sql.ts'
import type { Session } from '../../database/session.ts'
import { sqlState } from '../../database/sqlstate.ts'
import { conditionSql, type VectorIndex } from '../../indexes/vector-index.ts'
import { metrics } from '../../pgvector/index-methods.ts'
import type { SampledQuery } from './sample.ts'

/** A query with an upper bound of the distance of its k-th neighbour; null for none. */
export interface BoundedQuery extends SampledQuery {
  readonly bound: number | null
}

/** Where a transaction of bounded statements comes from. */
export type Bounded = <Result>(work: (trx: Session) => Promise<Result>) => Promise<Result>

const FIRST_PAGES = 64

/**
 * Returns the distances of the k nearest rows of each query. It reads the table once for all queries, in ranges of pages that
 * grow and shrink so that each statement takes at most a share of its time limit.
 */
export async function exactDistances(
  bounded: Bounded,
  index: VectorIndex,
  schema: string,
  queries: readonly BoundedQuery[],
  { k, pages, aim }: { readonly k: number; readonly pages: number; readonly aim: number },
): Promise<number[][]> {
  const nearest = queries.map((): number[] => [])
  const sql = exactSql(index, schema, k)
  const bindings = [
    queries.map(({ self }) => self),
    queries.map(({ vector }) => vector),
    queries.map(({ bound }) => bound ?? Infinity),
  ]
  let size = FIRST_PAGES
  for (let from = 0; from < pages;) {
    const to = Math.min(pages, from + size)
    const started = performance.now()
    const range = [`(${from},0)`, to === pages ? LAST_PLACE : `(${to},0)`]
    try {
      const found = await bounded((trx) => trx.askAsCaller<readonly Found[]>(sql, [...bindings, ...range]))
      for (const { i, d } of found) {
        nearest[i - 1] = [...(nearest[i - 1] ?? []), ...d].toSorted((left, right) => left - right).slice(0, k)
      }
      from = to
      const share = aim / Math.max(1, performance.now() - started)
      size = Math.max(1, Math.round(size * Math.min(4, Math.max(0.25, share))))
    } catch (error) {
      if (sqlStateOf(error) !== sqlState.queryCanceled || size === 1) throw error
      size = Math.max(1, Math.floor(size / 4))
    }
  }
  return nearest
}

const LAST_PLACE = '(4294967294,65535)'

interface Found {
  readonly i: number
  readonly d: readonly number[]
}

function exactSql(index: VectorIndex, schema: string, k: number): string {
  const { column, metric } = index
  const { name, type, dimensions } = column
  const declared = typeSql(type, type === 'bit' ? dimensions : null, schema)
  const distance = `v.value operator(${identifier(schema)}.${metrics[metric].operator}) q.vector`
  const condition = conditionSql(index)
  // A value that is stored out of line is read once for all queries, because adding to it makes a copy in memory.
  const isAddable = type === 'vector' || type === 'halfvec'
  const zero = `${inExtension('array_to_' + type, schema)}(pg_catalog.array_fill(0::pg_catalog.float4, array[${String(dimensions)}]), ${String(dimensions)}, true)`
  const columnSql = `${identifier(column.table)}.${identifier(name)}`
  const value = isAddable && dimensions !== null ? `${columnSql} operator(${identifier(schema)}.+) ${zero}` : columnSql
  return `select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('i', i, 'd', d)), '[]') as state from (
    select i, (pg_catalog.array_agg(d order by d))[1:${k}] as d from (
      select x.i, x.d from ${tableOf(column)}, lateral (
        with v as materialized (select ${value} as value)
        select q.i, ${distance} as d
        from v, rows from (
          pg_catalog.unnest($1::pg_catalog.tid[]), pg_catalog.unnest($2::${declared}[]), pg_catalog.unnest($3::pg_catalog.float8[])
        ) with ordinality as q (self, vector, bound, i)
        where ${distance} operator(pg_catalog.<=) q.bound
          and (q.self is null or q.self operator(pg_catalog.<>) ${identifier(column.table)}.ctid)
        offset 0
      ) as x
      where ${identifier(column.table)}.ctid operator(pg_catalog.>=) $4::pg_catalog.tid
        and ${identifier(column.table)}.ctid operator(pg_catalog.<) $5::pg_catalog.tid
        and ${columnSql} is not null ${condition === null ? '' : `and (${condition})`}
    ) as near group by i
  ) as nearest`
}
