import type { Knex } from 'knex'

/** Everything a database has, as text that reads well in a difference; without what {@link catalogOf} leaves out. */
export interface Catalog {
  readonly extensions: readonly string[]
  readonly schemas: readonly string[]
  readonly tables: Readonly<Record<string, TableCatalog>>
  /** Sequences, views and whatever else there is besides tables and their indexes. */
  readonly others: readonly string[]
  /** By name, arguments and result. */
  readonly functions: Readonly<Record<string, { readonly definition: string; readonly comment: string | null }>>
  readonly triggers: readonly string[]
  /** Types of their own: a table's row type and every array type go without saying. */
  readonly types: readonly string[]
}

export interface TableCatalog {
  readonly comment: string | null
  /** In their order: name, type, whether it may be null, default. */
  readonly columns: readonly string[]
  readonly constraints: Readonly<Record<string, string>>
  /** Those that no constraint owns. */
  readonly indexes: Readonly<Record<string, string>>
}

/** Reads the catalog, without Knex's own tables, the migration log and the members of extensions. */
export async function catalogOf(knex: Knex): Promise<Catalog> {
  const { rows } = await knex.raw<{ rows: [{ catalog: Catalog }] }>(catalogSql)
  return rows[0].catalog
}

/** The values of a table, in the order of their text: what must not change. */
export async function rowsOf(knex: Knex, table: string): Promise<string[]> {
  const { rows } = await knex.raw<{ rows: { row: string }[] }>(`select t::text as row from ${table} t order by 1`)
  return rows.map(({ row }) => row)
}

const isMember = (oid: string, catalog: string): string => `exists (
  select from pg_depend d where d.classid = '${catalog}'::regclass and d.objid = ${oid} and d.deptype = 'e'
)`

// not null is told with the column: PostgreSQL 18 lists it among the constraints too, and 17 does not.
const catalogSql = `
  with schema as (
    select oid, nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
  ),
  relation as (
    select c.oid, c.relname, c.relkind from pg_class c join schema on schema.oid = c.relnamespace
    where c.relname !~ '^(knex_migrations|pgvector_migration_log)' and not ${isMember('c.oid', 'pg_class')}
  ),
  routine as (
    select p.oid, format('%s(%s) returns %s', p.proname, pg_get_function_arguments(p.oid),
      pg_get_function_result(p.oid)) as signature
    from pg_proc p join schema on schema.oid = p.pronamespace
    where not ${isMember('p.oid', 'pg_proc')}
  )
  select json_build_object(
    'extensions', (
      select coalesce(json_agg(format('%s in %s', e.extname, e.extnamespace::regnamespace) order by e.extname), '[]')
      from pg_extension e where e.extname <> 'plpgsql'
    ),
    'schemas', (select json_agg(nspname order by nspname) from schema),
    'tables', (
      select coalesce(json_object_agg(r.relname, json_build_object(
        'comment', obj_description(r.oid, 'pg_class'),
        'columns', (
          select json_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
            || case when a.attnotnull then ' not null' else '' end
            || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') order by a.attnum)
          from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
          where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
        ),
        'constraints', (
          select coalesce(json_object_agg(c.conname, pg_get_constraintdef(c.oid) order by c.conname), '{}')
          from pg_constraint c where c.conrelid = r.oid and c.contype <> 'n'
        ),
        'indexes', (
          select coalesce(json_object_agg(i.relname,
            regexp_replace(pg_get_indexdef(i.oid), '^CREATE INDEX .* USING ', '') order by i.relname), '{}')
          from pg_index x join pg_class i on i.oid = x.indexrelid
          where x.indrelid = r.oid
            and not exists (select from pg_constraint c where c.conindid = i.oid and c.conrelid = r.oid)
        )
      ) order by r.relname), '{}')
      from relation r where r.relkind in ('r', 'p')
    ),
    'others', (
      select coalesce(json_agg(r.relkind::text || ' ' || r.relname order by r.relname), '[]')
      from relation r where r.relkind not in ('r', 'p', 'i', 'I')
    ),
    'functions', (
      select coalesce(json_object_agg(f.signature, json_build_object(
        'definition', pg_get_functiondef(f.oid), 'comment', obj_description(f.oid, 'pg_proc')
      ) order by f.signature), '{}')
      from routine f
    ),
    'triggers', (
      select coalesce(json_agg(pg_get_triggerdef(t.oid) order by t.tgname), '[]')
      from pg_trigger t join relation r on r.oid = t.tgrelid where not t.tgisinternal
    ),
    'types', (
      select coalesce(json_agg(t.typname order by t.typname), '[]')
      from pg_type t join schema on schema.oid = t.typnamespace
      where t.typrelid = 0 and t.typcategory <> 'A' and not ${isMember('t.oid', 'pg_type')}
    )
  ) as catalog`
