import { literal, toRegclass } from '../core/sql.ts'
import type { Session } from '../database/session.ts'
import { tableOf, type VectorColumn } from './column.ts'
import { existingColumnSql, type ColumnTable, type ExistingColumn } from './facts.ts'

/** What a database has of a declared column. */
export interface FoundColumn {
  /** Null if the table does not exist. */
  readonly table: Pick<ColumnTable, 'oid' | 'schema' | 'name'> | null
  /** Null if the table has no such column. */
  readonly column: ExistingColumn | null
  /** Whether the table has rows, according to its size and statistics; null if it has the column. */
  readonly hasRows: boolean | null
}

/** Reads what a database has of many columns, in their order and in one query. It needs no privilege to read the tables. */
export async function readColumns(session: Session, columns: readonly VectorColumn[]): Promise<readonly FoundColumn[]> {
  return columns.length === 0 ? [] : session.ask<readonly FoundColumn[]>(columnsSql(columns))
}

function columnsSql(columns: readonly VectorColumn[]): string {
  const wanted = columns.map((column, place) => {
    const { schema, table, name } = column
    // A table in a schema is looked up in the catalog, because PostgreSQL resolves no name in one that the role may not use.
    const isResolved = schema === null || schema === 'pg_temp'
    const values = isResolved
      ? [`${toRegclass(tableOf(column))}::oid`, 'null', 'null']
      : ['null', literal(schema), literal(table)]
    return `(${[place, ...values, literal(name)].join(', ')})`
  })
  return `
    with wanted (place, resolved, schema_name, table_name, column_name) as (values ${wanted.join(', ')}),
    relation as (
      select w.place, w.column_name, coalesce(w.resolved::oid, k.oid) as oid
      from wanted w
      left join pg_catalog.pg_namespace n on n.nspname = w.schema_name
      left join pg_catalog.pg_class k on k.relnamespace = n.oid and k.relname = w.table_name
    )
    select json_agg(json_build_object(
      'table', case when c.oid is not null then
        json_build_object('oid', c.oid::bigint, 'schema', n.nspname, 'name', c.relname) end,
      'column', case when attnum is not null then ${existingColumnSql} end,
      'hasRows', case when c.oid is not null and attnum is null then ${hasRowsSql} end
    ) order by r.place) as state
    from relation r
    left join pg_catalog.pg_class c on c.oid = r.oid and c.relkind in ('r', 'p', 'm', 'f')
    left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join pg_catalog.pg_attribute a
      on a.attrelid = c.oid and a.attname = r.column_name and a.attnum > 0 and not a.attisdropped
    left join pg_catalog.pg_type t on t.oid = a.atttypid`
}

const hasRowsSql = `exists (
    select from pg_catalog.pg_class p
    where (p.oid = c.oid or p.oid in (select relid from pg_catalog.pg_partition_tree(c.oid)))
      and (p.relkind = 'f' or p.reltuples > 0
        or p.relkind in ('r', 'm') and coalesce(pg_catalog.pg_relation_size(p.oid), 0) > 0)
  )`
