import type { Session } from '../../database/session.ts'

/** An object of a database that belongs to no extension. */
export interface StoredObject {
  readonly kind: 'table' | 'view' | 'sequence' | 'index' | 'type' | 'function'
  readonly schema: string
  readonly name: string
  /** The types of a function's parameters; otherwise empty. */
  readonly parameters: string
  readonly oid: number
}

/** Reads all tables, views, sequences, indexes, types and functions. Access to the catalog is enough. */
export async function readStoredObjects(session: Session): Promise<StoredObject[]> {
  return session.ask(`with own as (
      select n.oid, n.nspname from pg_catalog.pg_namespace n
      where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    ),
    dependent as (
      select d.classid, d.objid from pg_catalog.pg_depend d
      where d.deptype = 'e'
        -- the sequence of an identity column comes with the column
        or (d.deptype = 'i' and d.classid = 'pg_catalog.pg_class'::regclass and d.refobjsubid > 0)
    ),
    object as (
      select case when c.relkind in ('r', 'p', 'f') then 'table' when c.relkind in ('v', 'm') then 'view'
          when c.relkind = 'S' then 'sequence' else 'index' end as kind,
        own.nspname, c.relname as name, '' as parameters, c.oid, 'pg_catalog.pg_class'::regclass as catalog
      from pg_catalog.pg_class c join own on own.oid = c.relnamespace
      where c.relkind in ('r', 'p', 'f', 'v', 'm', 'S', 'i', 'I')
      union all
      select 'type', own.nspname, t.typname, '', t.oid, 'pg_catalog.pg_type'::regclass
      from pg_catalog.pg_type t join own on own.oid = t.typnamespace
      left join pg_catalog.pg_class c on c.oid = t.typrelid
      where t.typtype in ('e', 'd', 'r') or c.relkind = 'c'
      union all
      select 'function', own.nspname, p.proname, oidvectortypes(p.proargtypes), p.oid, 'pg_catalog.pg_proc'::regclass
      from pg_catalog.pg_proc p join own on own.oid = p.pronamespace
      where p.prokind in ('f', 'p')
    )
    select coalesce(json_agg(json_build_object(
      'kind', kind, 'schema', nspname, 'name', name, 'parameters', parameters, 'oid', oid::bigint
    ) order by kind, nspname, name, parameters), '[]') as state
    from object
    where (catalog, oid) not in (select classid, objid from dependent)`)
}

/** Returns what the first database has and the second one lacks. */
export function missingIn(there: readonly StoredObject[], here: readonly StoredObject[]): StoredObject[] {
  const known = new Set(here.map(keyOf))
  return there.filter((object) => !known.has(keyOf(object)))
}

function keyOf({ kind, schema, name, parameters }: StoredObject): string {
  return JSON.stringify([kind, schema, name, parameters])
}

const ORDINARY = /^[\w$\u0080-\uffff]+$/

/** Returns the objects whose names are in a text, such as a migration or a message of the server. */
export function mentionedIn(text: string, objects: readonly StoredObject[]): StoredObject[] {
  const words = new Set<string>(text.match(/[\w$\u0080-\uffff]+/g))
  return objects.filter(({ name }) => (ORDINARY.test(name) ? words.has(name) : text.includes(name)))
}
