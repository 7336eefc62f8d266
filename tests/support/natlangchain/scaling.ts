import type { TableCatalog } from '../catalog.ts'

/** What migration 003 creates. */
export const scalingTables: Readonly<Record<string, TableCatalog>> = {
  instance_registry: {
    comment: 'Active API instance registry',
    columns: [
      'instance_id character varying(64) not null',
      'host character varying(255) not null',
      'port integer not null',
      'started_at timestamp with time zone not null',
      'last_heartbeat timestamp with time zone not null',
      'is_leader boolean default false',
      "metadata jsonb default '{}'::jsonb",
    ],
    constraints: {
      instance_registry_pkey: 'PRIMARY KEY (instance_id)',
    },
    indexes: {
      idx_instance_heartbeat: 'btree (last_heartbeat)',
      idx_instance_leader: 'btree (is_leader) WHERE (is_leader = true)',
    },
  },
  distributed_locks: {
    comment: 'PostgreSQL-based distributed locks',
    columns: [
      'lock_name character varying(255) not null',
      'owner_id character varying(64) not null',
      'acquired_at timestamp with time zone default CURRENT_TIMESTAMP',
      'expires_at timestamp with time zone not null',
      "metadata jsonb default '{}'::jsonb",
    ],
    constraints: {
      distributed_locks_pkey: 'PRIMARY KEY (lock_name)',
    },
    indexes: {
      idx_locks_expires: 'btree (expires_at)',
      idx_locks_owner: 'btree (owner_id)',
    },
  },
  cache_entries: {
    comment: 'PostgreSQL-based cache',
    columns: [
      'cache_key character varying(512) not null',
      'cache_value jsonb not null',
      'expires_at timestamp with time zone',
      'created_at timestamp with time zone default CURRENT_TIMESTAMP',
    ],
    constraints: {
      cache_entries_pkey: 'PRIMARY KEY (cache_key)',
    },
    indexes: {
      idx_cache_expires: 'btree (expires_at) WHERE (expires_at IS NOT NULL)',
    },
  },
  metrics_snapshots: {
    comment: 'Historical metrics data',
    columns: [
      "id bigint not null default nextval('metrics_snapshots_id_seq'::regclass)",
      'instance_id character varying(64)',
      'metric_name character varying(255) not null',
      'metric_type character varying(20) not null',
      'metric_value double precision not null',
      "labels jsonb default '{}'::jsonb",
      'recorded_at timestamp with time zone default CURRENT_TIMESTAMP',
    ],
    constraints: {
      metrics_snapshots_pkey: 'PRIMARY KEY (id)',
    },
    indexes: {
      idx_metrics_instance: 'btree (instance_id)',
      idx_metrics_name: 'btree (metric_name)',
      idx_metrics_recorded: 'btree (recorded_at)',
    },
  },
  scheduled_jobs: {
    comment: 'Background job queue',
    columns: [
      'id uuid not null default gen_random_uuid()',
      'job_name character varying(255) not null',
      'job_type character varying(100) not null',
      "payload jsonb default '{}'::jsonb",
      "status character varying(50) default 'pending'::character varying",
      'priority integer default 0',
      'max_retries integer default 3',
      'retry_count integer default 0',
      'scheduled_for timestamp with time zone not null',
      'started_at timestamp with time zone',
      'completed_at timestamp with time zone',
      'locked_by character varying(64)',
      'locked_until timestamp with time zone',
      'result jsonb',
      'error_message text',
      'created_at timestamp with time zone default CURRENT_TIMESTAMP',
    ],
    constraints: {
      scheduled_jobs_pkey: 'PRIMARY KEY (id)',
    },
    indexes: {
      idx_jobs_locked: 'btree (locked_until) WHERE (locked_by IS NOT NULL)',
      idx_jobs_scheduled: "btree (scheduled_for) WHERE ((status)::text = 'pending'::text)",
      idx_jobs_status: 'btree (status)',
    },
  },
}

/** Its functions: name, arguments and result. */
export const scalingFunctions = [
  'acquire_lock(p_lock_name character varying, p_owner_id character varying, p_ttl_seconds integer DEFAULT 30) returns boolean',
  'cache_delete(p_key character varying) returns boolean',
  'cache_get(p_key character varying) returns jsonb',
  'cache_set(p_key character varying, p_value jsonb, p_ttl_seconds integer DEFAULT NULL::integer) returns void',
  'claim_job(p_worker_id character varying, p_job_types character varying[] DEFAULT NULL::character varying[], p_lock_seconds integer DEFAULT 300) returns uuid',
  'cleanup_expired_data() returns TABLE(table_name text, rows_deleted bigint)',
  'release_lock(p_lock_name character varying, p_owner_id character varying) returns boolean',
]
