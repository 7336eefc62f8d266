import type { Session } from '../database/session.ts'
import type { VectorType } from '../pgvector/vector-types.ts'
import type { LintFacts } from './lint-migrations.ts'
import type { TableIndex } from './known-table.ts'
import { isValidSql } from '../indexes/look/validity.ts'
import { indexMethodsSql } from '../pgvector/index-methods.ts'

interface State {
  readonly hasLockTimeout: boolean
  readonly tables: readonly {
    readonly schema: string
    readonly name: string
    readonly isVisible: boolean
    readonly hasRows: boolean
    readonly isPartitioned: boolean
    readonly indexes: readonly TableIndex[]
    readonly columns: readonly {
      readonly name: string
      readonly type: VectorType
      readonly dimensions: number | null
    }[]
  }[]
}

/**
 * Reads what the rules need to know about a database. Whether a table has rows is determined from the statistics or, if
 * there are none, from its size. It reads no table, so access to the catalog is enough.
 */
export async function readLintFacts(session: Session): Promise<Required<Pick<LintFacts, 'tables' | 'hasLockTimeout'>>> {
  const { tables, hasLockTimeout } = await session.ask<State>(`with vector_type as (
      select d.objid as oid from pg_catalog.pg_depend d join pg_catalog.pg_extension e on e.oid = d.refobjid
      where e.extname = 'vector' and d.deptype = 'e' and d.classid = 'pg_catalog.pg_type'::regclass
        and d.refclassid = 'pg_catalog.pg_extension'::regclass
    )
    select json_build_object(
      'hasLockTimeout', current_setting('lock_timeout') <> '0',
      'tables', (
        select coalesce(json_agg(json_build_object(
          'schema', n.nspname, 'name', c.relname, 'isVisible', pg_catalog.pg_table_is_visible(c.oid),
          'hasRows', case c.relkind
            when 'p' then exists (
              select from pg_catalog.pg_partition_tree(c.oid) part
              where part.isleaf and coalesce(pg_catalog.pg_relation_size(part.relid), 0) > 0
            )
            when 'f' then true
            else c.reltuples > 0 or coalesce(pg_catalog.pg_relation_size(c.oid), 0) > 0
          end,
          'isPartitioned', c.relkind = 'p',
          'indexes', (
            select coalesce(json_agg(json_build_object('name', ic.relname, 'isValid', ${isValidSql('i')}, 'column', (
              select a.attname from pg_catalog.pg_depend d
              join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
              where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = ic.oid and d.refobjid = c.oid
                and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjsubid > 0 and not a.attisdropped
              order by a.attnum = i.indkey[0] desc, a.attnum limit 1
            ))), '[]')
            from pg_catalog.pg_index i join pg_catalog.pg_class ic on ic.oid = i.indexrelid
            join pg_catalog.pg_am m on m.oid = ic.relam
            where i.indrelid = c.oid and m.amname in ${indexMethodsSql}
          ),
          'columns', (
            select coalesce(json_agg(json_build_object('name', a.attname,
              'type', case t.typname when 'varbit' then 'bit' else t.typname end,
              'dimensions', case when a.atttypmod > 0 and t.typname <> 'varbit' then a.atttypmod end)), '[]')
            from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and (
              t.oid in ('pg_catalog.bit'::regtype, 'pg_catalog.varbit'::regtype)
              or (t.typname in ('vector', 'halfvec', 'sparsevec') and t.oid in (select oid from vector_type))
            )
          )
        )), '[]')
        from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'm', 'f') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      )
    ) as state`)
  return {
    hasLockTimeout,
    tables: tables.map(({ columns, ...table }) => ({
      ...table,
      columns: columns.map(({ name, type, dimensions }) => ({ name, type: { type, dimensions } })),
    })),
  }
}
