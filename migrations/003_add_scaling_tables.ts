import type { Knex } from 'knex'

/**
 * Creates what several instances share: an instance registry, locks, a cache, metrics and a job queue. Does not need
 * 002.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(tables)
  await knex.raw(indexes)
  await knex.raw(lockFunctions)
  await knex.raw(cacheFunctions)
  await knex.raw(jobFunctions)
  await knex.raw(cleanupFunction)
  await knex.raw(comments)
  await knex.raw(`
    insert into schema_migrations (version, name) values (3, '003_add_scaling_tables') on conflict do nothing
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop function if exists cleanup_expired_data();
    drop function if exists claim_job(varchar, varchar[], integer);
    drop function if exists cache_delete(varchar);
    drop function if exists cache_set(varchar, jsonb, integer);
    drop function if exists cache_get(varchar);
    drop function if exists release_lock(varchar, varchar);
    drop function if exists acquire_lock(varchar, varchar, integer);
    drop table if exists scheduled_jobs;
    drop table if exists metrics_snapshots;
    drop table if exists cache_entries;
    drop table if exists distributed_locks;
    drop table if exists instance_registry;
    delete from schema_migrations where version = 3;
  `)
}

const tables = `
  create table if not exists instance_registry (
    instance_id varchar(64) primary key,
    host varchar(255) not null,
    port integer not null,
    started_at timestamptz not null,
    last_heartbeat timestamptz not null,
    is_leader boolean default false,
    metadata jsonb default '{}'
  );

  create table if not exists distributed_locks (
    lock_name varchar(255) primary key,
    owner_id varchar(64) not null,
    acquired_at timestamptz default current_timestamp,
    expires_at timestamptz not null,
    metadata jsonb default '{}'
  );

  create table if not exists cache_entries (
    cache_key varchar(512) primary key,
    cache_value jsonb not null,
    expires_at timestamptz,
    created_at timestamptz default current_timestamp
  );

  create table if not exists metrics_snapshots (
    id bigserial primary key,
    instance_id varchar(64),
    metric_name varchar(255) not null,
    metric_type varchar(20) not null,
    metric_value double precision not null,
    labels jsonb default '{}',
    recorded_at timestamptz default current_timestamp
  );

  create table if not exists scheduled_jobs (
    id uuid primary key default gen_random_uuid(),
    job_name varchar(255) not null,
    job_type varchar(100) not null,
    payload jsonb default '{}',
    status varchar(50) default 'pending',
    priority integer default 0,
    max_retries integer default 3,
    retry_count integer default 0,
    scheduled_for timestamptz not null,
    started_at timestamptz,
    completed_at timestamptz,
    locked_by varchar(64),
    locked_until timestamptz,
    result jsonb,
    error_message text,
    created_at timestamptz default current_timestamp
  );
`

const indexes = `
  create index if not exists idx_instance_heartbeat on instance_registry (last_heartbeat);
  create index if not exists idx_instance_leader on instance_registry (is_leader) where is_leader = true;

  create index if not exists idx_locks_expires on distributed_locks (expires_at);
  create index if not exists idx_locks_owner on distributed_locks (owner_id);

  create index if not exists idx_cache_expires on cache_entries (expires_at) where expires_at is not null;

  create index if not exists idx_metrics_instance on metrics_snapshots (instance_id);
  create index if not exists idx_metrics_name on metrics_snapshots (metric_name);
  create index if not exists idx_metrics_recorded on metrics_snapshots (recorded_at);

  create index if not exists idx_jobs_locked on scheduled_jobs (locked_until) where locked_by is not null;
  create index if not exists idx_jobs_scheduled on scheduled_jobs (scheduled_for) where status = 'pending';
  create index if not exists idx_jobs_status on scheduled_jobs (status);
`

// The functions below use clock_timestamp(), not now(). In a long transaction, now() is the time of its start, and a
// lock taken with it could have expired before another session sees it.

// One insert decides which session gets a lock. All others conflict with its unique key and wait for its outcome. The
// removal of expired locks skips rows that another session holds, so that two calls in long transactions cannot
// deadlock. The insert takes over an expired lock that was skipped.
const lockFunctions = `
  create or replace function acquire_lock(p_lock_name varchar, p_owner_id varchar, p_ttl_seconds integer default 30)
  returns boolean language plpgsql as $$
  begin
    delete from distributed_locks where lock_name in (
      select lock_name from distributed_locks where expires_at <= clock_timestamp() for update skip locked
    );
    insert into distributed_locks as held (lock_name, owner_id, acquired_at, expires_at)
    values (p_lock_name, p_owner_id, clock_timestamp(), clock_timestamp() + make_interval(secs => p_ttl_seconds))
    on conflict (lock_name) do update set
      owner_id = excluded.owner_id,
      acquired_at = case when held.owner_id = excluded.owner_id then held.acquired_at else excluded.acquired_at end,
      expires_at = excluded.expires_at,
      metadata = case when held.owner_id = excluded.owner_id then held.metadata else excluded.metadata end
    where held.owner_id = excluded.owner_id or held.expires_at <= clock_timestamp();
    return found;
  end
  $$;

  create or replace function release_lock(p_lock_name varchar, p_owner_id varchar)
  returns boolean language plpgsql as $$
  begin
    delete from distributed_locks where lock_name = p_lock_name and owner_id = p_owner_id;
    return found;
  end
  $$;
`

const cacheFunctions = `
  create or replace function cache_get(p_key varchar) returns jsonb language sql as $$
    select cache_value from cache_entries
    where cache_key = p_key and (expires_at is null or expires_at > clock_timestamp())
  $$;

  create or replace function cache_set(p_key varchar, p_value jsonb, p_ttl_seconds integer default null)
  returns void language sql as $$
    insert into cache_entries (cache_key, cache_value, expires_at, created_at)
    values (p_key, p_value, clock_timestamp() + make_interval(secs => p_ttl_seconds), clock_timestamp())
    on conflict (cache_key) do update set
      cache_value = excluded.cache_value,
      expires_at = excluded.expires_at,
      created_at = excluded.created_at
  $$;

  create or replace function cache_delete(p_key varchar) returns boolean language plpgsql as $$
  begin
    delete from cache_entries where cache_key = p_key;
    return found;
  end
  $$;
`

// The row lock is taken while the job is chosen, and a worker skips a locked row. No two workers get the same job, and
// none waits for another.
const jobFunctions = `
  create or replace function claim_job(
    p_worker_id varchar,
    p_job_types varchar[] default null,
    p_lock_seconds integer default 300
  ) returns uuid language sql as $$
    update scheduled_jobs set
      status = 'running',
      started_at = clock_timestamp(),
      locked_by = p_worker_id,
      locked_until = clock_timestamp() + make_interval(secs => p_lock_seconds)
    where id = (
      select id from scheduled_jobs
      where status = 'pending' and scheduled_for <= clock_timestamp()
        and (p_job_types is null or job_type = any (p_job_types))
        and (locked_by is null or locked_until <= clock_timestamp())
      order by priority desc nulls last, scheduled_for
      limit 1
      for update skip locked
    )
    returning id
  $$;
`

// Every instance cleans up on its own schedule, so it skips rows that another instance is deleting.
const cleanupFunction = `
  create or replace function cleanup_expired_data() returns table (table_name text, rows_deleted bigint)
  language sql as $$
    with locks as (
      delete from distributed_locks where lock_name in (
        select lock_name from distributed_locks where expires_at <= clock_timestamp() for update skip locked
      ) returning 1
    ), cached as (
      delete from cache_entries where cache_key in (
        select cache_key from cache_entries where expires_at <= clock_timestamp() for update skip locked
      ) returning 1
    ), metrics as (
      delete from metrics_snapshots where id in (
        select id from metrics_snapshots where recorded_at < clock_timestamp() - interval '7 days'
        for update skip locked
      ) returning 1
    ), instances as (
      delete from instance_registry where instance_id in (
        select instance_id from instance_registry where last_heartbeat < clock_timestamp() - interval '5 minutes'
        for update skip locked
      ) returning 1
    ), jobs as (
      delete from scheduled_jobs where id in (
        select id from scheduled_jobs
        where status in ('completed', 'failed') and completed_at < clock_timestamp() - interval '7 days'
        for update skip locked
      ) returning 1
    )
    select 'distributed_locks', count(*) from locks
    union all select 'cache_entries', count(*) from cached
    union all select 'metrics_snapshots', count(*) from metrics
    union all select 'instance_registry', count(*) from instances
    union all select 'scheduled_jobs', count(*) from jobs
  $$;
`

const comments = `
  comment on table instance_registry is 'Active API instance registry';
  comment on table distributed_locks is 'PostgreSQL-based distributed locks';
  comment on table cache_entries is 'PostgreSQL-based cache';
  comment on table metrics_snapshots is 'Historical metrics data';
  comment on table scheduled_jobs is 'Background job queue';
  comment on function acquire_lock(varchar, varchar, integer)
    is 'Takes or extends a lock: true where the caller now holds it';
  comment on function release_lock(varchar, varchar) is 'Gives a lock back: true where the caller held it';
  comment on function claim_job(varchar, varchar[], integer)
    is 'Takes the next due job for a worker: its id, or null where there is none';
  comment on function cleanup_expired_data() is 'Removes what has expired, and says how much of each table';
`
