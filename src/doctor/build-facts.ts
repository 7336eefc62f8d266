import { isInSchema } from '../core/sql.ts'
import type { Session } from '../database/session.ts'
import { rowsWithValueSql } from '../indexes/look/rows-with-value.ts'
import { serverSettingsSql, type ServerSettings } from '../indexes/look/settings.ts'
import { DEFAULT_M } from '../pgvector/graph-memory.ts'

/** The inputs that determine how an index is built, in bytes. */
export interface BuildFacts {
  readonly settings: ServerSettings
  /** The maximum maintenance_work_mem that the server accepts. */
  readonly mostMemory: number
  readonly sharedMemory: string
  /** The graphs of existing HNSW indexes, and those that vector columns without one might get. */
  readonly graphs: readonly TableGraph[]
}

/** An HNSW graph that would be built. */
export interface TableGraph {
  readonly table: string
  /** Null for a column without an HNSW index. */
  readonly index: string | null
  readonly column: string
  readonly type: 'vector' | 'halfvec' | 'bit'
  readonly dimensions: number
  readonly m: number
  /** The non-null rows, as of the last ANALYZE or VACUUM. */
  readonly rows: number
  readonly tableSize: number
}

/** Reads settings and sizes without reading a table. Sizes are estimates of the last ANALYZE. */
export function readBuildFacts(session: Session, schema?: string): Promise<BuildFacts> {
  return session.ask(`with extension_type as (
      select t.oid, t.typname from pg_catalog.pg_type t
      join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_type'::regclass and d.objid = t.oid
        and d.refclassid = 'pg_catalog.pg_extension'::regclass and d.deptype = 'e'
      join pg_catalog.pg_extension x on x.oid = d.refobjid and x.extname = 'vector'
      where t.typname in ('vector', 'halfvec')
    ),
    indexed as (
      select i.indrelid as table_oid, i.indexrelid as index_oid, ia.attname as index_column,
        (select a.attname from pg_catalog.pg_attribute a where a.attrelid = i.indrelid and a.attnum = i.indkey[0] and a.attnum > 0) as table_column,
        ia.atttypid as type_oid, ia.atttypmod as dimensions,
        coalesce((select o.option_value::int from pg_options_to_table(c.reloptions) o where o.option_name = 'm'), ${DEFAULT_M}) as m
      from pg_catalog.pg_index i
      join pg_catalog.pg_class c on c.oid = i.indexrelid and c.relkind = 'i'
      join pg_catalog.pg_am am on am.oid = c.relam and am.amname = 'hnsw'
      join pg_catalog.pg_attribute ia on ia.attrelid = i.indexrelid and ia.attnum = 1
    ),
    bare as (
      select c.oid as table_oid, null::oid as index_oid, a.attname as index_column, a.attname as table_column,
        a.atttypid as type_oid, a.atttypmod as dimensions, ${DEFAULT_M} as m
      from pg_catalog.pg_attribute a
      join pg_catalog.pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'm')
      join extension_type on extension_type.oid = a.atttypid
      where a.attnum > 0 and not a.attisdropped and not exists (
        select from indexed join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_class'::regclass
          and d.objid = indexed.index_oid and d.refobjid = c.oid and d.refobjsubid = a.attnum
        where indexed.table_oid = c.oid
      )
    ),
    graph as (
      select g.table_oid::regclass::text as "table", g.index_oid::regclass::text as index, coalesce(g.table_column, g.index_column) as "column",
        t.typname as type, g.dimensions, g.m,
        ${rowsWithValueSql({ rows: 'c.reltuples', schema: 'n.nspname', table: 'c.relname', column: 'g.table_column' })} as rows,
        c.relpages::bigint * current_setting('block_size')::int as "tableSize"
      from (select * from indexed union all select * from bare) as g
      join pg_catalog.pg_class c on c.oid = g.table_oid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_type t on t.oid = g.type_oid
      where t.typname in ('vector', 'halfvec', 'bit') and g.dimensions > 0 and ${isInSchema('n.nspname', schema)}
    )
    select json_build_object(
      'settings', ${serverSettingsSql},
      'mostMemory', (
        select s.max_val::bigint * 1024 from pg_catalog.pg_settings s where s.name = 'maintenance_work_mem'
      ),
      'sharedMemory', current_setting('dynamic_shared_memory_type'),
      'graphs', (select coalesce(json_agg(to_json(graph) order by "table", "column"), '[]') from graph)
    ) as state`)
}
