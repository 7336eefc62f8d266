import { literal } from '../../core/sql.ts'
import type { Session } from '../../database/session.ts'
import { indexMethodsSql } from '../../pgvector/index-methods.ts'
import type { ComparedFacts } from '../decide/equal.ts'
import type { ExistingIndex } from './facts.ts'
import { isValidSql } from './validity.ts'

/**
 * Returns SQL for the indexes of pgvector's methods on a table, and the index of a name, as json. It reads one row of
 * `relation` (oid, schema) and one of `extension` (namespace, schema).
 */
export function existingIndexesSql(name: string): string {
  return `
    select coalesce(json_agg(json_build_object(
      'oid', c.oid::bigint, 'name', c.relname, 'schema', relation.schema, 'definition', pg_get_indexdef(c.oid),
      'method', m.amname, 'operatorClass', o.opcname,
      'isKnownClass', o.opcnamespace in ((select namespace from extension), 'pg_catalog'::regnamespace),
      'key', replace(pg_get_indexdef(c.oid, 1, true), coalesce((select quote_ident(schema) || '.' from extension), ''), ''),
      'columns', x.indnatts, 'condition', pg_get_expr(x.indpred, x.indrelid),
      'options', coalesce(to_json(c.reloptions), '[]'), 'isValid', ${isValidSql('x')},
      'isPartitioned', c.relkind = 'I',
      'parent', (select i.inhparent::bigint from pg_catalog.pg_inherits i where i.inhrelid = c.oid)
    ) order by c.relname <> ${name}, c.relname), '[]')
    from relation
    join pg_catalog.pg_index x on x.indrelid = relation.oid
    join pg_catalog.pg_class c on c.oid = x.indexrelid
    join pg_catalog.pg_am m on m.oid = c.relam
    join pg_catalog.pg_opclass o on o.oid = x.indclass[0]
    where m.amname in ${indexMethodsSql} or c.relname = ${name}`
}

/** A declared index, and the table that it is on. */
export interface WantedIndex {
  readonly table: number
  readonly column: string
  readonly name: string
}

/** What a table has of a declared index. */
export interface FoundIndexes extends Pick<ComparedFacts, 'column'> {
  readonly indexes: readonly ExistingIndex[]
}

/** Reads the indexes of many tables, for each declared index in their order, in one query. */
export async function readExistingIndexes(
  session: Session,
  wanted: readonly WantedIndex[],
): Promise<readonly FoundIndexes[]> {
  if (wanted.length === 0) return []
  const rows = wanted.map(
    ({ table, column, name }, place) => `(${place}, ${table}, ${literal(column)}, ${literal(name)})`,
  )
  return session.ask<readonly FoundIndexes[]>(`
    with extension as (
      select e.extnamespace as namespace, n.nspname as schema
      from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector'
    ),
    wanted (place, oid, column_name, index_name) as (values ${rows.join(', ')})
    select json_agg(json_build_object(
      'column', json_build_object('quoted', quote_ident(wanted.column_name)),
      'indexes', (
        with relation as (select wanted.oid, n.nspname as schema)
        ${existingIndexesSql('wanted.index_name')}
      )
    ) order by wanted.place) as state
    from wanted
    join pg_catalog.pg_class t on t.oid = wanted.oid
    join pg_catalog.pg_namespace n on n.oid = t.relnamespace`)
}
