import type { ReadOnlyReason } from '../core/error-messages.ts'
import { readOnlySql } from '../database/server-facts.ts'
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
}

/** Everything that determines whether a column can be backfilled. */
export interface BackfillFacts {
  readonly facts: ColumnFacts
  readonly readOnly: ReadOnlyReason | null
  readonly role: string
  readonly kind: 'ordinary' | 'partitioned' | 'other'
  readonly canUpdate: boolean
  readonly canRead: boolean
  readonly columns: readonly string[]
  /** The primary key, or else a unique index of NOT NULL columns; empty if the table has neither. */
  readonly key: readonly KeyColumn[]
  /** The indexes on the column that use pgvector's access methods. */
  readonly indexes: readonly string[]
}

/** Reads these facts without writing anything. */
export async function readBackfillFacts(session: Session, column: VectorColumn): Promise<BackfillFacts> {
  const facts = await readColumnFacts(session, column)
  return { facts, ...(await session.ask<Omit<BackfillFacts, 'facts'>>(factsSql(column))) }
}

function factsSql(column: VectorColumn): string {
  return `
    with relation as (
      select c.oid, c.relkind from pg_catalog.pg_class c where c.oid = ${tableNumberSql(column)}
    ),
    attribute as (
      select a.attrelid, a.attnum, a.attname, format('%I.%I', n.nspname, t.typname) as type
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
      'columns', (select coalesce(json_agg(attname order by attnum), '[]') from attribute),
      'key', (
        select coalesce(json_agg(json_build_object('name', a.attname, 'type', a.type, 'operators', n.nspname)
          order by k.place), '[]')
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
