import { isInSchema } from '../core/sql.ts'

// Rules, triggers, defaults and policies belong to the schema of their table.
const schemaOfTable = `(
  select table_schema.nspname from pg_catalog.pg_depend d
  join pg_catalog.pg_class c on d.refclassid = 'pg_catalog.pg_class'::regclass and c.oid = d.refobjid
  join pg_catalog.pg_namespace table_schema on table_schema.oid = c.relnamespace
  where d.classid = w.classid and d.objid = w.objid order by d.deptype limit 1)`

/**
 * The objects that `drop extension vector cascade` would remove, except the extension's own.
 *
 * `owned` contains the extension's members and their internal parts. `walk` goes from there to everything that
 * references them. From an internal part it goes to the object that contains it: from a rule to its view, from a
 * default to its column.
 */
export const dependentObjectsSql = (schema?: string): string => `
  with recursive extension as (
    select oid from pg_catalog.pg_extension where extname = 'vector'
  ),
  owned (classid, objid) as (
    select d.classid, d.objid from pg_catalog.pg_depend d, extension
    where d.refclassid = 'pg_catalog.pg_extension'::regclass and d.refobjid = extension.oid and d.deptype = 'e'
    union
    select d.classid, d.objid from owned o
    join pg_catalog.pg_depend d
      on d.refclassid = o.classid and d.refobjid = o.objid and d.deptype in ('i', 'a') and d.objsubid = 0
    where d.classid in ('pg_catalog.pg_type'::regclass, 'pg_catalog.pg_amop'::regclass,
      'pg_catalog.pg_amproc'::regclass, 'pg_catalog.pg_opfamily'::regclass)
  ),
  walk (classid, objid, objsubid) as (
    -- the extension itself is a starting point, for other extensions that require it
    select 'pg_catalog.pg_extension'::regclass::oid, oid, 0 from extension
    union
    select classid, objid, 0 from owned
    union
    select next.classid, next.objid, next.objsubid
    from walk w cross join lateral (
      select d.classid, d.objid, d.objsubid from pg_catalog.pg_depend d
      where d.refclassid = w.classid and d.refobjid = w.objid
        and (w.objsubid = 0 or d.refobjsubid = w.objsubid) and d.deptype in ('n', 'a', 'i', 'P', 'S')
      union all
      select d.refclassid, d.refobjid, d.refobjsubid from pg_catalog.pg_depend d
      where d.classid = w.classid and d.objid = w.objid
        and (w.objsubid = 0 or d.objsubid = w.objsubid) and d.deptype = 'i'
    ) next
  ),
  object as (
    select distinct i.type as kind, i.schema, i.identity as name,
      pg_describe_object(w.classid, w.objid, w.objsubid) as description
    from walk w
    cross join lateral pg_identify_object(w.classid, w.objid, w.objsubid) i
    left join pg_catalog.pg_type t on w.classid = 'pg_catalog.pg_type'::regclass and t.oid = w.objid
    where not exists (select from owned o where o.classid = w.classid and o.objid = w.objid and w.objsubid = 0)
      and not exists (select from extension where w.classid = 'pg_catalog.pg_extension'::regclass and w.objid = extension.oid)
      and w.classid not in ('pg_catalog.pg_amop'::regclass, 'pg_catalog.pg_amproc'::regclass)
      and not (i.type = 'rule' and i.identity like '"_RETURN"%')
      and coalesce(i.schema, '') not like 'pg\\_toast%'
      -- row types and array types are dropped with their owner; domains and ranges are separate objects
      and (t.oid is null or (t.typrelid = 0 and t.typcategory <> 'A'))
      and ${isInSchema(`coalesce(i.schema, ${schemaOfTable})`, schema)}
  )
  select coalesce(json_agg(to_json(object)), '[]') as state from object`

/**
 * The columns that hold vectors, through any nesting of arrays, domains, composite and row types, and ranges.
 *
 * A column of a composite type does not depend on the extension, but its data would be lost with the attribute.
 */
export const vectorColumnsSql = (schema?: string): string => `
  with recursive extension as (
    select oid from pg_catalog.pg_extension where extname = 'vector'
  ),
  -- read once for the whole recursion, which joins it by hash: a search per type would read the catalogs again each time
  edge (inner_type, outer_type, kind, named) as materialized (
    select typelem, oid, 'array', oid from pg_catalog.pg_type where typelem <> 0 and typcategory = 'A'
    union all
    select typbasetype, oid, 'domain', oid from pg_catalog.pg_type where typtype = 'd'
    union all
    select a.atttypid, c.reltype, 'row', c.oid
    from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
    where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'f', 'v', 'm', 'c') and c.reltype <> 0
    union all
    select rngsubtype, rngtypid, 'range', rngtypid from pg_catalog.pg_range
    union all
    select rngtypid, rngmultitypid, 'multirange', rngmultitypid from pg_catalog.pg_range where rngmultitypid <> 0
  ),
  -- kinds and named say how the type holds vectors, from the inside out
  holder (oid, base, kinds, named) as (
    select t.oid, t.typname::text, '{}'::text[], '{}'::oid[] from pg_catalog.pg_type t
    join pg_catalog.pg_depend d
      on d.classid = 'pg_catalog.pg_type'::regclass and d.objid = t.oid and d.deptype = 'e'
    join extension on d.refclassid = 'pg_catalog.pg_extension'::regclass and d.refobjid = extension.oid
    union
    select edge.outer_type, holder.base, holder.kinds || edge.kind, holder.named || edge.named
    from holder join edge on edge.inner_type = holder.oid
  ) cycle oid set is_cycle using path,
  -- the shortest path is the one to report
  shortest as (
    select distinct on (oid) oid, base, kinds, named from holder where not is_cycle order by oid, cardinality(kinds)
  ),
  object as (
    select i.type as kind, n.nspname as schema, i.identity as name,
      pg_describe_object('pg_catalog.pg_class'::regclass, c.oid, a.attnum) as description,
      format_type(a.atttypid, a.atttypmod) || case when cardinality(kinds) > 0 then (
        select ' (' || base || string_agg(' in ' || case
          when step.kind = 'row' then 'row of ' || step.named::regclass::text
          else step.kind || ' ' || format_type(step.named, null)
        end, '' order by step.place) || ')'
        from unnest(kinds, shortest.named) with ordinality as step (kind, named, place)
      ) else '' end as type
    from shortest
    join pg_catalog.pg_attribute a on a.atttypid = shortest.oid and a.attnum > 0 and not a.attisdropped
    join pg_catalog.pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p', 'f', 'm', 'v', 'c')
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    cross join lateral pg_identify_object('pg_catalog.pg_class'::regclass, c.oid, a.attnum) i
    where ${isInSchema('n.nspname', schema)}
  )
  select coalesce(json_agg(to_json(object)), '[]') as state from object`

/**
 * The objects that name pgvector in source text that PostgreSQL does not parse: functions with a string body, and
 * settings of databases and roles.
 */
export const mentionsSql = (schema?: string): string => `
  with mention as (
    select 'function' as kind, p.oid::regprocedure::text as name,
      'function ' || p.oid::regprocedure::text || ' (' || l.lanname || ') names pgvector in its body' as description
    from pg_catalog.pg_proc p
    join pg_catalog.pg_language l on l.oid = p.prolang
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace and ${isInSchema('n.nspname', schema)}
    where l.lanname not in ('c', 'internal') and p.prosqlbody is null
      and p.prosrc ~* '\\m(vector|halfvec|sparsevec|binary_quantize|hnsw|ivfflat|l2_distance|cosine_distance|inner_product)\\M|<->|<#>|<=>|<[+]>|<~>|<%>'
      and not exists (
        select from pg_catalog.pg_depend d
        where d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
      )
    union all
    select 'setting', setting,
      'setting ' || setting || ' of ' || coalesce('role ' || r.rolname, 'all roles') || ' in ' || coalesce('database ' || b.datname, 'all databases')
    from pg_catalog.pg_db_role_setting s
    cross join lateral unnest(s.setconfig) as setting
    left join pg_catalog.pg_roles r on r.oid = s.setrole
    left join pg_catalog.pg_database b on b.oid = s.setdatabase
    where setting ~ '^(hnsw|ivfflat)[.]' and (s.setdatabase = 0 or b.datname = current_database()) and ${isInSchema('null', schema)}
  )
  select coalesce(json_agg(to_json(mention) order by mention.kind, mention.name), '[]') as state from mention`
