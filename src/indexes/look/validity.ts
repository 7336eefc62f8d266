/** SQL: whether queries use an index and writes keep it up to date; `index` is a row of pg_index. */
export function isValidSql(index: string): string {
  return `(${index}.indisvalid and ${index}.indisready and ${index}.indislive)`
}

/**
 * SQL: whether a name is that of a copy that REINDEX CONCURRENTLY makes: name_ccnew until it is ready, and name_ccold for
 * the old one until it is gone. An invalid index of such a name is left over where no one is building it.
 */
export function isCopySql(name: string): string {
  return `(${name} ~ '_cc(new|old)[0-9]*$')`
}

/**
 * SQL: two common table expressions, `held` and `build`: what other sessions build in this database right now.
 *
 * A role without pg_read_all_stats sees that a build runs, and not of what. Everyone sees locks: a build that lets writes
 * go on holds a ShareUpdateExclusiveLock on the table, one that does not a ShareLock.
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
 * SQL: whether another session is building, rebuilding or dropping an index right now; within {@link runningBuildsSql}.
 * `index` and `table` are numbers of pg_class.
 */
export function isInWorkSql(index: string, table: string): string {
  return `(exists (
      select from build
      where build.index_oid = ${index} or build.table_oid = ${table} and (build.hidden or build.command like 'REINDEX%')
    )
    -- REINDEX and DROP INDEX CONCURRENTLY lock the index too
    or exists (select from held where held.relation = ${index} and held.mode = 'ShareUpdateExclusiveLock'))`
}
