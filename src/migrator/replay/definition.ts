import type { Session } from '../../database/session.ts'
import type { StoredObject } from './stored-objects.ts'

/** A column as a table has it. */
export interface ColumnDefinition {
  readonly name: string
  readonly type: string
  readonly isRequired: boolean
  /** `a` or `d` for an identity column, otherwise empty. */
  readonly identity: string
  /** `s` or `v` for a column that is computed from others, otherwise empty. */
  readonly generated: string
  /** The default, or how the value is computed. */
  readonly expression: string | null
}

/** The definition of a table without its data. */
export interface TableDefinition {
  readonly columns: readonly ColumnDefinition[]
  /** `PARTITION BY` without these words; null if it has no partitions. */
  readonly partitionKey: string | null
  /** The table that it is a partition of, and its bounds. */
  readonly parent: { readonly schema: string; readonly name: string; readonly bounds: string } | null
  /** Keys and constraints, the foreign keys last. */
  readonly constraints: readonly { readonly name: string; readonly definition: string }[]
  /** Statements that create the indexes that belong to no constraint. */
  readonly indexes: readonly string[]
  /** The OIDs of all its indexes. */
  readonly indexOids: readonly number[]
  /** The sequences that are dropped with a column. */
  readonly sequences: readonly { readonly schema: string; readonly name: string; readonly column: string }[]
}

/** Reads the definition of a table; null if it does not exist any more. */
export async function readTable(session: Session, { oid }: StoredObject): Promise<TableDefinition | null> {
  return session.ask(`select (
      select json_build_object(
        'columns', (
          select coalesce(json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
            'isRequired', a.attnotnull, 'identity', a.attidentity, 'generated', a.attgenerated,
            'expression', pg_get_expr(d.adbin, d.adrelid)) order by a.attnum), '[]')
          from pg_catalog.pg_attribute a
          left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        ),
        'partitionKey', case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end,
        'parent', (
          select json_build_object('schema', n.nspname, 'name', p.relname, 'bounds', pg_get_expr(c.relpartbound, c.oid))
          from pg_catalog.pg_inherits i join pg_catalog.pg_class p on p.oid = i.inhparent
          join pg_catalog.pg_namespace n on n.oid = p.relnamespace
          where i.inhrelid = c.oid and c.relispartition
        ),
        'constraints', (
          select coalesce(json_agg(json_build_object('name', k.conname, 'definition', pg_get_constraintdef(k.oid))
            order by k.contype = 'f', k.conname), '[]')
          from pg_catalog.pg_constraint k
          where k.conrelid = c.oid and k.contype in ('p', 'u', 'c', 'x', 'f') and k.conparentid = 0
            and (k.conislocal or not c.relispartition)
        ),
        'indexes', (
          select coalesce(json_agg(pg_get_indexdef(i.indexrelid) order by i.indexrelid), '[]')
          from pg_catalog.pg_index i
          where i.indrelid = c.oid and i.indisvalid
            and not exists (select from pg_catalog.pg_constraint k where k.conindid = i.indexrelid and k.conrelid = c.oid)
            and not exists (select from pg_catalog.pg_inherits part where part.inhrelid = i.indexrelid)
        ),
        'indexOids', (
          select coalesce(json_agg(i.indexrelid::bigint), '[]') from pg_catalog.pg_index i where i.indrelid = c.oid
        ),
        'sequences', (
          select coalesce(json_agg(json_build_object('schema', n.nspname, 'name', s.relname, 'column', a.attname)), '[]')
          from pg_catalog.pg_depend d join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S'
          join pg_catalog.pg_namespace n on n.oid = s.relnamespace
          join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
          where d.classid = 'pg_catalog.pg_class'::regclass and d.refclassid = 'pg_catalog.pg_class'::regclass
            and d.refobjid = c.oid and d.deptype = 'a'
        )
      ) from pg_catalog.pg_class c where c.oid = ${oid}
    ) as state`)
}

/** How the server prints the other objects, as the end of a statement that creates them; null if they are gone. */
const definitions: Readonly<Record<Exclude<StoredObject['kind'], 'table'>, string>> = {
  view: `select 'create ' || case c.relkind when 'm' then 'materialized ' else '' end || 'view ' || format('%I.%I', n.nspname, c.relname)
      || ' as ' || rtrim(pg_get_viewdef(c.oid), ';') || case c.relkind when 'm' then ' with no data' else '' end
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = OID`,
  sequence: `select format('create sequence %I.%I as %s increment %s minvalue %s maxvalue %s start %s cache %s', n.nspname, c.relname,
      format_type(s.seqtypid, null), s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache)
      || case when s.seqcycle then ' cycle' else '' end
    from pg_catalog.pg_sequence s join pg_catalog.pg_class c on c.oid = s.seqrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = OID`,
  index: `select pg_get_indexdef(OID)`,
  function: `select pg_get_functiondef(OID)`,
  type: `select format('create %s %I.%I ', case t.typtype when 'd' then 'domain' else 'type' end, n.nspname, t.typname) || case t.typtype
      when 'e' then (
        select format('as enum (%s)', string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder))
        from pg_catalog.pg_enum e where e.enumtypid = t.oid
      )
      when 'r' then (
        select format('as range (subtype = %s)', format_type(r.rngsubtype, null))
        from pg_catalog.pg_range r where r.rngtypid = t.oid
      )
      when 'd' then format('as %s', format_type(t.typbasetype, t.typtypmod))
        || coalesce(' default ' || t.typdefault, '') || case when t.typnotnull then ' not null' else '' end
        || coalesce((
          select string_agg(format(' constraint %I %s', k.conname, pg_get_constraintdef(k.oid)), '' order by k.conname)
          from pg_catalog.pg_constraint k where k.contypid = t.oid and k.contype = 'c'
        ), '')
      else (
        select format('as (%s)', coalesce(string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' order by a.attnum), ''))
        from pg_catalog.pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
      ) end
    from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace where t.oid = OID`,
}

/** Reads the statement that creates an object; null if it does not exist any more. */
export async function readStatementFor(session: Session, { kind, oid }: StoredObject): Promise<string | null> {
  if (kind === 'table') return null
  return session.ask(`select (${definitions[kind].replaceAll('OID', String(oid))}) as state`)
}

/** Returns the table that an index is on; null if it does not exist any more. */
export async function readTableOf(session: Session, { oid }: StoredObject): Promise<number | null> {
  return session.ask(
    `select (select i.indrelid::bigint from pg_catalog.pg_index i where i.indexrelid = ${oid}) as state`,
  )
}
