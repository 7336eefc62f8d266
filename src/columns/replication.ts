import type { Session } from '../database/session.ts'

/** A table whose changes are sent to subscribers, or come from a publisher. */
export interface ReplicatedTable {
  readonly schema: string
  readonly table: string
  /** With its schema, quoted if necessary. */
  readonly label: string
  /** The publications or subscriptions that it belongs to. */
  readonly names: readonly string[]
}

/** The logical replication of this database. */
export interface Replication {
  /** The tables whose new columns are sent too. With a list of columns, a publication sends no others. */
  readonly published: readonly ReplicatedTable[]
  /** The publications of all tables, which send those of later migrations too. */
  readonly publishesAll: readonly string[]
  readonly subscribed: readonly ReplicatedTable[]
  /** Enabled subscriptions without an apply worker. */
  readonly stopped: readonly string[]
  /** Replication slots to which no subscriber is connected. */
  readonly unused: readonly string[]
}

/** Reads which tables are replicated, and whether the replication works. Any role may. */
export function readReplication(session: Session): Promise<Replication> {
  return session.ask(replicationSql)
}

// The list of columns exists from PostgreSQL 15. A standby has the rows of its primary, and no workers or subscribers of its own.
const replicationSql = `
  with published as (
    select t.schemaname as schema, t.tablename as "table", format('%I.%I', t.schemaname, t.tablename) as label, json_agg(t.pubname order by t.pubname) as names
    from pg_catalog.pg_publication_tables t
    join pg_catalog.pg_publication p on p.pubname = t.pubname
    where not exists (
      select from pg_catalog.pg_publication_rel r
      join pg_catalog.pg_class c on c.oid = r.prrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where r.prpubid = p.oid and c.relname = t.tablename and n.nspname = t.schemaname and to_jsonb(r) ->> 'prattrs' is not null
    )
    group by 1, 2
  ),
  subscription as (
    select s.oid, s.subname, s.subenabled from pg_catalog.pg_subscription s
    where s.subdbid = (select oid from pg_catalog.pg_database where datname = current_database())
  ),
  subscribed as (
    select n.nspname as schema, c.relname as "table", format('%I.%I', n.nspname, c.relname) as label, json_agg(s.subname order by s.subname) as names
    from subscription s join pg_catalog.pg_subscription_rel r on r.srsubid = s.oid
    join pg_catalog.pg_class c on c.oid = r.srrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    group by 1, 2
  )
  select json_build_object(
    'published', (select coalesce(json_agg(to_json(published) order by schema, "table"), '[]') from published),
    'publishesAll', (select coalesce(json_agg(pubname order by pubname), '[]') from pg_catalog.pg_publication where puballtables),
    'subscribed', (select coalesce(json_agg(to_json(subscribed) order by schema, "table"), '[]') from subscribed),
    'stopped', (
      select coalesce(json_agg(subname order by subname), '[]') from subscription
      where subenabled and not pg_is_in_recovery() and not exists (
        select from pg_catalog.pg_stat_subscription a where a.subid = subscription.oid and a.pid is not null and a.relid is null)
    ),
    'unused', (
      select coalesce(json_agg(slot_name order by slot_name), '[]') from pg_catalog.pg_replication_slots
      where slot_type = 'logical' and database = current_database() and not active and not temporary and not pg_is_in_recovery()
    )
  ) as state`
