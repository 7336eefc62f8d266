import type { ReadOnly } from '../core/error-messages.ts'
import { readOnlySql } from '../database/read-only-sql.ts'
import type { Session } from '../database/session.ts'
import { literal } from '../core/sql.ts'
import { isValidSql } from '../indexes/look/validity.ts'
import { readColumnFacts, type ColumnFacts } from '../columns/facts.ts'
import type { VectorColumn } from '../columns/column.ts'
import { tableNumberSql } from '../columns/table-rights.ts'
import { indexMethodsSql } from '../pgvector/index-methods.ts'

/** A column of the key that identifies and orders rows. */
export interface KeyColumn {
  readonly name: string
  /** With its schema, quoted if necessary, and without its length. */
  readonly type: string
  /** The schema of the operators that compare its values. */
  readonly operators: string
  /** Its collation, with its schema and quoted, if it is not that of its type. */
  readonly collation: string | null
}

/** A column of the table. */
export interface TableColumn {
  readonly name: string
  /** The type of PostgreSQL that its values are sent in, qualified; null if only their text is the same everywhere. */
  readonly sentAs: string | null
  readonly isGenerated: boolean
}

/** Everything that determines whether the vectors of a column can be written. */
export interface TableFacts {
  readonly facts: ColumnFacts
  readonly readOnly: ReadOnly | null
  readonly role: string
  readonly kind: 'ordinary' | 'partitioned' | 'other'
  readonly canUpdate: boolean
  readonly canRead: boolean
  /** Whether row security hides rows from this role. */
  readonly hidesRows: boolean
  readonly columns: readonly TableColumn[]
  /** The primary key, or else a unique index of NOT NULL columns; empty if the table has neither. */
  readonly key: readonly KeyColumn[]
  /** The indexes on the column that use pgvector's access methods. */
  readonly indexes: readonly string[]
}

/** Reads these facts without writing anything. */
export async function readTableFacts(session: Session, column: VectorColumn): Promise<TableFacts> {
  const facts = await readColumnFacts(session, column)
  return { facts, ...(await session.ask<Omit<TableFacts, 'facts'>>(factsSql(column))) }
}

function factsSql(column: VectorColumn): string {
  return `
    with relation as (
      select c.oid, c.relkind from pg_catalog.pg_class c where c.oid = ${tableNumberSql(column)}
    ),
    attribute as (
      select a.attrelid, a.attnum, a.attname, format('%I.%I', n.nspname, t.typname) as type, a.attgenerated <> '' as generated,
        (
          select format('pg_catalog.%I', sent.typname) from pg_catalog.pg_type sent
          where sent.oid = case t.typtype when 'd' then t.typbasetype else t.oid end
            and sent.typnamespace = 'pg_catalog'::regnamespace and sent.typtype in ('b', 'r', 'm') and sent.typsend <> 0
        ) as sent,
        case when a.attcollation <> t.typcollation then (
          select format('%I.%I', s.nspname, l.collname)
          from pg_catalog.pg_collation l join pg_catalog.pg_namespace s on s.oid = l.collnamespace
          where l.oid = a.attcollation
        ) end as collation
      from relation join pg_catalog.pg_attribute a on a.attrelid = relation.oid
      join pg_catalog.pg_type t on t.oid = a.atttypid
      join pg_catalog.pg_namespace n on n.oid = t.typnamespace
      where a.attnum > 0 and not a.attisdropped
    ),
    key as (
      -- included columns are not part of the key, and an expression has the number 0
      select (x.indkey::int2[])[0:x.indnkeyatts - 1] as columns, (x.indclass::oid[])[0:x.indnkeyatts - 1] as classes
      from relation join pg_catalog.pg_index x on x.indrelid = relation.oid
      where x.indisunique and ${isValidSql('x')} and x.indimmediate and x.indpred is null and not exists (
        select from unnest((x.indkey::int2[])[0:x.indnkeyatts - 1]) as k (number)
        left join pg_catalog.pg_attribute a on a.attrelid = relation.oid and a.attnum = k.number and a.attnotnull
        where a.attnum is null or a.attnum < 1
      )
      order by not x.indisprimary, x.indnkeyatts, x.indexrelid limit 1
    )
    select json_build_object(
      'readOnly', ${readOnlySql},
      'role', current_user,
      'kind', (select case relkind when 'r' then 'ordinary' when 'p' then 'partitioned' else 'other' end from relation),
      'canUpdate', coalesce((
        select has_column_privilege(attrelid, attnum, 'update') from attribute where attname = ${literal(column.name)}
      ), true),
      'canRead', coalesce((select has_any_column_privilege(oid, 'select') from relation), true),
      'hidesRows', coalesce((select row_security_active(oid) from relation where relkind in ('r', 'p')), false),
      'columns', (
        select coalesce(json_agg(json_build_object('name', attname, 'sentAs', sent, 'isGenerated', generated)
          order by attnum), '[]') from attribute
      ),
      'key', (
        select coalesce(json_agg(json_build_object('name', a.attname, 'type', a.type, 'operators', n.nspname,
          'collation', a.collation) order by k.place), '[]')
        from key cross join unnest(key.columns, key.classes) with ordinality as k (number, class, place)
        join attribute a on a.attnum = k.number
        join pg_catalog.pg_opclass o on o.oid = k.class
        join pg_catalog.pg_amop m on m.amopfamily = o.opcfamily and m.amoplefttype = o.opcintype
          and m.amoprighttype = o.opcintype and m.amopstrategy = 3
        join pg_catalog.pg_operator compared on compared.oid = m.amopopr
        join pg_catalog.pg_namespace n on n.oid = compared.oprnamespace
      ),
      'indexes', (
        select coalesce(json_agg(c.relname order by c.relname), '[]')
        from attribute a join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_class'::regclass
          and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = a.attrelid and d.refobjsubid = a.attnum
        join pg_catalog.pg_class c on c.oid = d.objid join pg_catalog.pg_am m on m.oid = c.relam
        where a.attname = ${literal(column.name)} and m.amname in ${indexMethodsSql}
      )
    ) as state`
}
