import { defaultLogTable } from '../../core/options.ts'
import { literal } from '../../core/sql.ts'
import { isValidSql } from '../../indexes/look/validity.ts'
import type { Session } from '../../database/session.ts'

/** An object that a migration can create, in a form that is the same on every server. */
export interface SchemaObject {
  /** Its kind and name: table documents. With its schema if that is not on the search path. */
  readonly key: string
  /** The type of a column, without the type's schema; otherwise null. */
  readonly type: string | null
  /** The key of the table or view that it is part of; null if there is none. */
  readonly owner: string | null
}

export type SchemaObjects = ReadonlyMap<string, SchemaObject>

/** The objects of a database by their keys. */
export interface Catalog {
  /** Each object once. */
  readonly objects: SchemaObjects
  /** Each object with and without its schema, because the search paths of two databases may differ. */
  readonly lookup: SchemaObjects
}

interface Found {
  readonly kind: string
  readonly name: string
  readonly type: string | null
  readonly ownerKind: string | null
  readonly ownerName: string | null
  readonly schema: string
  readonly isVisible: boolean
}

/** Reads the existing objects, except those that belong to extensions. */
export async function readCatalog(session: Session): Promise<Catalog> {
  const found = await session.ask<Found[]>(objectsSql)
  const full = found.map((object) => objectOf(object, `${object.schema}.`))
  const objects = found.map((object) => objectOf(object, object.isVisible ? '' : `${object.schema}.`))
  return { objects: byKey(objects), lookup: byKey([...full, ...objects]) }
}

function objectOf({ kind, name, type, ownerKind, ownerName }: Found, schema: string): SchemaObject {
  return {
    key: `${kind} ${schema}${name}`,
    type,
    owner: ownerKind === null ? null : `${ownerKind} ${schema}${ownerName}`,
  }
}

function byKey(objects: readonly SchemaObject[]): SchemaObjects {
  return new Map(objects.map((object) => [object.key, object]))
}

const isMember = (oid: string, catalog: string): string => `exists (
  select from pg_catalog.pg_depend d
  where d.classid = 'pg_catalog.${catalog}'::regclass and d.objid = ${oid} and d.deptype = 'e'
)`

// PostgreSQL prints a type with its schema if that is not on the search path, and pgvector may be in a different schema
// there.
const withoutSchema = (text: string): string => `regexp_replace(${text}, '("[^"]+"|[a-z_][a-z_0-9$]*)[.]', '', 'g')`

const objectsSql = `
  with space as (
    select oid, nspname from pg_catalog.pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
  ),
  relation as (
    select c.oid, c.relname, space.nspname, pg_table_is_visible(c.oid) as visible,
      case c.relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end as kind
    from pg_catalog.pg_class c join space on space.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relname <> ${literal(defaultLogTable)}
      and not ${isMember('c.oid', 'pg_class')}
  ),
  object (kind, name, type, "ownerKind", "ownerName", schema, "isVisible") as (
    select kind, relname::text, null::text, null::text, null::text, nspname::text, visible from relation
    union all
    select 'column', r.relname || '.' || a.attname, ${withoutSchema('format_type(a.atttypid, a.atttypmod)')},
      r.kind, r.relname, r.nspname, r.visible
    from relation r join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    union all
    -- by their columns, because the names of constraints may differ
    select case k.contype when 'p' then 'primary key' else 'unique key' end,
      r.relname || regexp_replace(pg_get_constraintdef(k.oid), '^[A-Z ]+ ', ' '), null, r.kind, r.relname, r.nspname, r.visible
    from relation r join pg_catalog.pg_constraint k on k.conrelid = r.oid and k.contype in ('p', 'u')
    union all
    select 'index', i.relname, null, r.kind, r.relname, r.nspname, r.visible
    from relation r
    join pg_catalog.pg_index x on x.indrelid = r.oid and ${isValidSql('x')}
    join pg_catalog.pg_class i on i.oid = x.indexrelid
    where not exists (select from pg_catalog.pg_constraint k where k.conindid = i.oid and k.contype in ('p', 'u', 'x'))
    union all
    select case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end,
      p.proname || '(' || ${withoutSchema('oidvectortypes(p.proargtypes)')} || ')', null, null, null, space.nspname,
      pg_function_is_visible(p.oid)
    from pg_catalog.pg_proc p join space on space.oid = p.pronamespace
    where not ${isMember('p.oid', 'pg_proc')}
    union all
    select case t.typtype when 'e' then 'enum' else 'domain' end, t.typname, null, null, null, space.nspname,
      pg_type_is_visible(t.oid)
    from pg_catalog.pg_type t join space on space.oid = t.typnamespace
    where t.typtype in ('e', 'd') and not ${isMember('t.oid', 'pg_type')}
    union all
    select 'extension', e.extname, null, null, null, '', true from pg_catalog.pg_extension e
  )
  select coalesce(json_agg(object), '[]') as state from object`
