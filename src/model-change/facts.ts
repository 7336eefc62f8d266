import { tableNumberSql } from '../columns/table-rights.ts'
import type { VectorColumn } from '../columns/column.ts'
import { obviouslyTrustedSql, readDistrust, type Distrust } from '../database/table-trust.ts'
import type { Session } from '../database/session.ts'
import { literal } from '../core/sql.ts'
import { isValidSql } from '../indexes/look/validity.ts'
import { indexMethodsSql, type IndexMethod } from '../pgvector/index-methods.ts'
import type { VectorType } from '../pgvector/vector-types.ts'

/** The table in which the columns and models of embeddings are registered, in the schema of their table. */
export const REGISTRY = 'pgvector_embeddings'

/** What the catalog shows about the table of an embedding. */
export interface CatalogFacts {
  readonly table: {
    readonly oid: number
    readonly schema: string
    readonly name: string
    readonly owner: number
  } | null
  readonly columns: readonly FoundColumn[]
  /** The valid indexes of pgvector's methods on one column, without a condition. */
  readonly indexes: readonly FoundIndex[]
  readonly registry: Registry | null
  /** The schema of the extension; null if it is not enabled. */
  readonly extension: string | null
  readonly role: string
}

/** A vector column of the table. */
interface FoundColumn {
  readonly name: string
  readonly type: VectorType
  readonly dimensions: number | null
  readonly notNull: boolean
}

/** An index that a search of the column can use. */
export interface FoundIndex {
  readonly name: string
  readonly column: string
  readonly method: IndexMethod
  /** The name of the operator class. */
  readonly class: string
  /** The type of the values in the index. */
  readonly type: VectorType
  readonly scans: number
}

/** The registry, if there is one in the schema of the table. */
interface Registry {
  readonly oid: number
  readonly canRead: boolean
  readonly distrust: Distrust | null
}

/** Reads these facts in one query, and another one about a registry that is not obviously trusted. */
export async function readCatalogFacts(session: Session, column: VectorColumn): Promise<CatalogFacts> {
  const { registry, ...facts } = await session.ask<
    Omit<CatalogFacts, 'registry'> & {
      readonly registry: { readonly oid: number; readonly canRead: boolean; readonly doubtful: boolean } | null
    }
  >(factsSql(column))
  if (registry === null) return { ...facts, registry }
  const { doubtful, ...found } = registry
  // The owner of the rows can change what a search finds anyway.
  const [distrust = null] = doubtful ? await readDistrust(session, [found.oid], [facts.table?.owner ?? 0]) : []
  return { ...facts, registry: { ...found, distrust } }
}

function factsSql(column: VectorColumn): string {
  return `
    with relation as (
      select c.oid, c.relname, c.relnamespace, c.relowner, n.nspname
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where c.oid = ${tableNumberSql(column)} and c.relkind in ('r', 'p')
    ),
    extension as (
      select e.extnamespace, n.nspname from pg_catalog.pg_extension e
      join pg_catalog.pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector'
    ),
    attribute as (
      select a.attrelid, a.attnum, a.attname, a.atttypmod, a.attnotnull, case t.typname when 'varbit' then 'bit' else t.typname end as type
      from relation join pg_catalog.pg_attribute a on a.attrelid = relation.oid
      join pg_catalog.pg_type t on t.oid = a.atttypid
      where a.attnum > 0 and not a.attisdropped and (
        (t.typname in ('vector', 'halfvec', 'sparsevec') and t.typnamespace = (select extnamespace from extension))
        or (t.typname in ('bit', 'varbit') and t.typnamespace = 'pg_catalog'::regnamespace)
      )
    )
    select json_build_object(
      'table', (select json_build_object('oid', oid::bigint, 'schema', nspname, 'name', relname, 'owner', relowner::bigint) from relation),
      'extension', (select nspname from extension),
      'role', current_user,
      'columns', (
        select coalesce(json_agg(json_build_object('name', attname, 'type', type, 'dimensions', nullif(atttypmod, -1),
          'notNull', attnotnull) order by attnum), '[]') from attribute
      ),
      'indexes', (
        select coalesce(json_agg(json_build_object('name', i.relname, 'column', a.attname, 'method', m.amname,
          'class', o.opcname, 'type', t.typname, 'scans', coalesce(s.idx_scan, 0)) order by i.oid), '[]')
        from pg_catalog.pg_index x join pg_catalog.pg_class i on i.oid = x.indexrelid
        join pg_catalog.pg_am m on m.oid = i.relam and m.amname in ${indexMethodsSql}
        join pg_catalog.pg_opclass o on o.oid = x.indclass[0]
        join pg_catalog.pg_attribute stored on stored.attrelid = i.oid and stored.attnum = 1
        join pg_catalog.pg_type t on t.oid = stored.atttypid
        join attribute a on exists (
          select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = i.oid
            and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = a.attrelid and d.refobjsubid = a.attnum
        )
        left join lateral (
          -- the scans of a partitioned index are those of its parts
          select sum(u.idx_scan)::bigint as idx_scan from pg_catalog.pg_stat_all_indexes u
          where u.indexrelid in (select i.oid union all select tree.relid from pg_catalog.pg_partition_tree(i.oid) tree)
        ) s on true
        where x.indrelid = (select oid from relation) and x.indnkeyatts = 1 and x.indpred is null and ${isValidSql('x')}
      ),
      'registry', (
        select json_build_object('oid', c.oid::bigint, 'canRead', has_table_privilege(c.oid, 'select'),
          'doubtful', not ${obviouslyTrustedSql('relation.relowner')})
        from relation join pg_catalog.pg_class c on c.relnamespace = relation.relnamespace and c.relname = ${literal(REGISTRY)}
      )
    ) as state`
}
