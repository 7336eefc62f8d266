/** SQL: whether queries use an index and writes maintain it; `index` is a row of pg_index. */
export function isValidSql(index: string): string {
  return `(${index}.indisvalid and ${index}.indisready and ${index}.indislive)`
}

/**
 * SQL: whether a name is that of a copy that REINDEX CONCURRENTLY creates: name_ccnew until it is ready, and name_ccold
 * for the old index until it is dropped. An invalid index of such a name was left behind, unless a session is building
 * it.
 */
export function isCopySql(name: string): string {
  return `(${name} ~ '_cc(new|old)[0-9]*$')`
}

/**
 * SQL: two common table expressions, `held` and `build`, for what other sessions are building in this database.
 *
 * A role without pg_read_all_stats sees that a build is running, but not on what. Locks are visible to everyone: a
 * build that allows writes holds a ShareUpdateExclusiveLock on the table, and one that blocks them a ShareLock.
 */
export const runningBuildsSql = `
  held as (
    select l.pid, l.relation, l.mode from pg_catalog.pg_locks l
    where l.locktype = 'relation' and l.granted and l.pid <> pg_backend_pid()
      and l.mode in ('ShareUpdateExclusiveLock', 'ShareLock')
      and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
  ),
  build as (
    select distinct p.pid, nullif(p.index_relid, 0) as index_oid, coalesce(p.relid, c.oid) as table_oid,
      p.relid is null as hidden, p.command, p.phase
    from pg_catalog.pg_stat_progress_create_index p
    left join (held join pg_catalog.pg_class c on c.oid = held.relation and c.relkind in ('r', 'm', 'p'))
      on p.relid is null and held.pid = p.pid
    where p.datname = current_database() and p.pid <> pg_backend_pid()
  )`

/**
 * SQL: whether another session is currently building, rebuilding or dropping an index; within {@link runningBuildsSql}.
 * `index` and `table` are OIDs of pg_class.
 */
export function isInWorkSql(index: string, table: string): string {
  return `(exists (
      select from build
      where build.index_oid = ${index} or build.table_oid = ${table} and (build.hidden or build.command like 'REINDEX%')
    )
    -- REINDEX and DROP INDEX CONCURRENTLY lock the index too
    or exists (select from held where held.relation = ${index} and held.mode = 'ShareUpdateExclusiveLock'))`
}
