/**
 * Drops everything that a test can have created in a database of its own server: what it created in the database, its
 * roles, and the settings that it stored for roles and databases.
 */
export const dropEverything = `
  do $$
    declare
      statement text;
    begin
      -- A trigger of the test could refuse what follows.
      for statement in
        select format('drop event trigger %I', evtname) from pg_event_trigger
        union all select format('drop publication %I', pubname) from pg_publication
      loop execute statement; end loop;
      for statement in
        select format('drop extension if exists %I cascade', extname) from pg_extension where extname <> 'plpgsql'
        union all select format('drop schema if exists %I cascade', nspname) from pg_namespace
          where nspname !~ '^pg_' and nspname <> 'information_schema'
        union all select format('drop foreign data wrapper if exists %I cascade', fdwname) from pg_foreign_data_wrapper
        union all select format('drop access method if exists %I cascade', amname) from pg_am where oid >= 16384
      loop execute statement; end loop;
      perform lo_unlink(oid) from pg_largeobject_metadata;
      for statement in
        select case when s.setrole = 0 then format('alter database %I reset all', d.datname)
          when s.setdatabase = 0 then format('alter role %I reset all', r.rolname)
          else format('alter role %I in database %I reset all', r.rolname, d.datname) end
        from pg_db_role_setting s
        left join pg_database d on d.oid = s.setdatabase left join pg_roles r on r.oid = s.setrole
      loop execute statement; end loop;
      for statement in
        select format('drop owned by %1$I cascade; drop role %1$I', rolname) from pg_roles where oid >= 16384
      loop execute statement; end loop;
      create schema public authorization pg_database_owner;
      grant usage on schema public to public;
      comment on schema public is 'standard public schema';
    end
  $$`

// The catalogs that name what a database has, and what each is called in a message.
const catalogs = {
  'access method': ['pg_am', 'amname'],
  cast: ['pg_cast', 'castsource::regtype'],
  collation: ['pg_collation', 'collname'],
  conversion: ['pg_conversion', 'conname'],
  database: ['pg_database', 'datname'],
  'event trigger': ['pg_event_trigger', 'evtname'],
  extension: ['pg_extension', 'extname'],
  'foreign data wrapper': ['pg_foreign_data_wrapper', 'fdwname'],
  function: ['pg_proc', 'oid::regprocedure'],
  language: ['pg_language', 'lanname'],
  'large object': ['pg_largeobject_metadata', 'oid'],
  operator: ['pg_operator', 'oid::regoperator'],
  'operator class': ['pg_opclass', 'opcname'],
  publication: ['pg_publication', 'pubname'],
  relation: ['pg_class', 'oid::regclass'],
  role: ['pg_authid', 'rolname'],
  tablespace: ['pg_tablespace', 'spcname'],
  type: ['pg_type', 'oid::regtype'],
} as const

const created = Object.entries(catalogs).map(
  ([kind, [catalog, name]]) => `select format('${kind} %s', ${name}) from ${catalog} where oid >= 16384`,
)

/**
 * One line for everything that a clean database and its session may not differ in. Settings with a prefix that no library
 * has reserved are missing: PostgreSQL lists them nowhere.
 */
export const fingerprint = `
  ${created.join('\n  union all ')}
  union all select format('schema %s of %s %s', nspname, nspowner::regrole, nspacl) from pg_namespace
    -- A session keeps the schema of its temporary tables; the tables are among the relations.
    where nspname !~ '^pg_(toast_)?temp_'
  union all select format('role %s', r) from pg_roles r where oid < 16384
  union all select format('membership of %s in %s', member::regrole, roleid::regrole) from pg_auth_members
  union all select format('database %s of %s %s, connections %s %s', datname, datdba::regrole, datacl, datallowconn,
    datconnlimit) from pg_database
  union all select format('comment on database %s', objoid) from pg_shdescription
  union all select format('stored setting %s of role %s in database %s', setconfig, setrole, setdatabase)
    from pg_db_role_setting
  union all select format('setting %s = %s', name, setting) from pg_settings where setting is distinct from boot_val
  union all select format('setting of the server %s = %s', name, setting) from pg_file_settings
  union all select format('default privileges of %s %s', defaclrole::regrole, defaclacl) from pg_default_acl
  union all select format('privileges on parameter %s %s', parname, paracl) from pg_parameter_acl
  union all select format('privileges on %s %s', oid::regclass, relacl) from pg_class
    where relacl is not null and oid < 16384
  union all select format('privileges on %s %s', oid::regprocedure, proacl) from pg_proc
    where proacl is not null and oid < 16384
  union all select format('privileges on type %s %s', typname, typacl) from pg_type
    where typacl is not null and oid < 16384
  union all select format('privileges on language %s %s', lanname, lanacl) from pg_language
  union all select format('advisory lock %s %s', classid, objid) from pg_locks where locktype = 'advisory'
  union all select format('prepared transaction %s', gid) from pg_prepared_xacts
  union all select format('replication slot %s', slot_name) from pg_replication_slots
  union all select format('session of %s as %s', session_user, current_user)`
