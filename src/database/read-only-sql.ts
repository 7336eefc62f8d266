// Used in queries under the caller's search path too, so everything in it is qualified.

// The connection string has the password of the replication, so only host and port leave the server. Only roles that may
// read all settings see it, and only those that may read all statistics see the receiver, which names the one of several hosts.
const primarySql = `coalesce(
  (select pg_catalog.concat_ws(':', sender_host, sender_port) from pg_catalog.pg_stat_get_wal_receiver()
    where sender_host is not null),
  case when pg_catalog.pg_has_role('pg_read_all_settings', 'usage') then (
    select pg_catalog.concat_ws(':', substring(conninfo from '(?:^|\\s)host\\s*=\\s*''?([^''\\s]+)'),
      coalesce(substring(conninfo from '(?:^|\\s)port\\s*=\\s*''?([0-9,]+)'), '5432'))
    from pg_catalog.current_setting('primary_conninfo') as conninfo
    where conninfo operator(pg_catalog.~) '(?:^|\\s)host\\s*='
  ) end)`

/** SQL: why nothing can be written in this session, a {@link ReadOnly} as json; null if it can write. */
export const readOnlySql = `case
  when pg_catalog.pg_is_in_recovery() then pg_catalog.json_build_object('reason', 'standby', 'primary', ${primarySql})
  when pg_catalog.current_setting('transaction_read_only')::boolean
    then pg_catalog.json_build_object('reason', 'transaction', 'primary', null) end`
