import { tableOf } from '../../columns/column.ts'
import { checkedBinary } from '../../columns/values.ts'
import { identifier, literal, toRegclass } from '../../core/sql.ts'
import type { Session } from '../../database/session.ts'
import { conditionSql, type VectorIndex } from '../../indexes/vector-index.ts'

/** A query to measure with: a vector as text and, for a row's own vector, where the row is. */
export interface SampledQuery {
  readonly self: string | null
  readonly vector: string
}

/** The size of a table, by its pages. */
export interface TableSize {
  readonly pages: number
  readonly rowsPerPage: number
}

/** Reads how many pages a table has; of a partitioned table, the most that one of its partitions has. */
export function readMostPages(session: Session, table: number): Promise<number> {
  return session.ask<number>(`
    select to_json(coalesce(max(pg_relation_size(relid) / current_setting('block_size')::int), 0)) as state
    from (select ${table}::oid as relid union all select relid from pg_catalog.pg_partition_tree(${table}::oid::regclass)) as tree`)
}

/** Reads how many pages a table has; null for a table of another kind, such as a partitioned one. */
export async function readTableSize(session: Session, { column }: VectorIndex): Promise<TableSize | null> {
  return session.ask<TableSize | null>(`
    select json_build_object('pages', pages, 'rowsPerPage', greatest(1, case when reltuples > 0 and relpages > 0
      then ceil(reltuples / relpages) else 100 end)) as state
    from pg_catalog.pg_class,
      lateral (select pg_relation_size(oid) / current_setting('block_size')::int as pages) as size
    where oid = ${toRegclass(tableOf(column))} and relkind in ('r', 'm')`)
}

const FEW_PAGES = 200
const ROUNDS = 20

/** Reads vectors of random rows of an index, by random places in the table: of a large table no more than those are read. */
export async function sampleRows(
  session: Session,
  index: VectorIndex,
  { pages, rowsPerPage }: TableSize,
  count: number,
): Promise<SampledQuery[]> {
  const found = new Map<string, SampledQuery>()
  const add = async (restriction: string): Promise<void> => {
    for (const query of await session.askAsCaller<SampledQuery[]>(sampleSql(index, restriction))) {
      if (found.size < count && query.self !== null && isComparable(index, query.vector)) found.set(query.self, query)
    }
  }
  if (pages <= FEW_PAGES) await add(`order by pg_catalog.random() limit ${count}`)
  else {
    for (let round = 0; round < ROUNDS && found.size < count; round++) {
      const places = Array.from({ length: 2 * count }, () => `(${below(pages)},${1 + below(rowsPerPage)})`)
      const tids = literal(`{${places.map((place) => `"${place}"`).join(',')}}`)
      await add(`and ctid operator(pg_catalog.=) any (${tids}::pg_catalog.tid[])`)
    }
  }
  return [...found.values()]
}

/** Whether a stored vector can be searched for: the cosine distance to zeros is undefined. */
export function isComparable({ column, metric }: VectorIndex, vector: string): boolean {
  return 'binary' in checkedBinary(vector, column, metric === 'cosine')
}

function sampleSql(index: VectorIndex, restriction: string): string {
  const { column } = index
  const name = identifier(column.name)
  const condition = conditionSql(index)
  return `select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('self', self, 'vector', vector)), '[]') as state
    from (
      select ctid::pg_catalog.text as self, ${name}::pg_catalog.text as vector from ${tableOf(column)}
      where ${name} is not null ${condition === null ? '' : `and (${condition})`} ${restriction}
    ) as sampled`
}

function below(limit: number): number {
  return Math.floor(Math.random() * limit)
}
