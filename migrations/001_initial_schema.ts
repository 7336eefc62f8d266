import type { Knex } from 'knex'

/** Creates the core tables: entries, blocks and contracts. They need PostgreSQL alone, without extensions. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(tables)
  await knex.raw(indexes)
  await knex.raw(triggers)
  await knex.raw(comments)
  await knex.raw(rows)
}

/**
 * Drops the tables with their rows, including tables that the old SQL files created, because they cannot be
 * distinguished.
 */
export async function down(knex: Knex): Promise<void> {
  await refuseWhileOthersAreApplied(knex)
  // References to a table are dropped before it. If anything else depends on a table, the drop fails and nothing is
  // lost.
  await knex.raw(`
    drop table if exists schema_migrations;
    drop table if exists audit_log;
    drop table if exists disputes;
    drop table if exists contracts;
    drop table if exists chain_state;
    drop table if exists validation_results;
    drop table if exists block_entries;
    drop table if exists blocks;
    drop table if exists entries;
    drop function if exists update_updated_at_column();
  `)
}

// Stock Knex rolls back any migration by name. The records of the later migrations are in a table that is dropped with
// this one.
async function refuseWhileOthersAreApplied(knex: Knex): Promise<void> {
  const { rows: others } = await knex.raw<{ rows: { name: string }[] }>(
    'select name from schema_migrations where version <> 1 order by version desc',
  )
  if (others.length === 0) return
  const names = others.map(({ name }) => name)
  throw new Error(
    `001_initial_schema cannot be rolled back while these are applied: ${names.join(', ')}. Roll them back first, in this order`,
  )
}

const tables = `
  create table if not exists entries (
    id uuid primary key default gen_random_uuid(),
    entry_id varchar(64) not null unique,
    content text not null,
    author varchar(255) not null,
    intent varchar(100),
    timestamp timestamptz default current_timestamp,
    signature text,
    metadata jsonb default '{}',
    created_at timestamptz default current_timestamp,
    updated_at timestamptz default current_timestamp
  );

  create table if not exists blocks (
    id serial primary key,
    block_index integer not null unique,
    timestamp timestamptz not null,
    previous_hash varchar(64) not null,
    hash varchar(64) not null unique,
    nonce integer default 0,
    difficulty integer default 4,
    created_at timestamptz default current_timestamp
  );

  create table if not exists block_entries (
    id serial primary key,
    block_id integer not null references blocks (id) on delete cascade,
    entry_id uuid not null references entries (id) on delete cascade,
    position integer not null,
    unique (block_id, entry_id),
    unique (block_id, position)
  );

  create table if not exists validation_results (
    id uuid primary key default gen_random_uuid(),
    entry_id uuid not null references entries (id) on delete cascade,
    validator_type varchar(50) not null,
    is_valid boolean not null,
    confidence numeric(5, 4),
    reasoning text,
    validator_metadata jsonb default '{}',
    validated_at timestamptz default current_timestamp
  );

  create table if not exists chain_state (
    id integer primary key default 1 check (id = 1),
    chain_id varchar(64) not null,
    last_block_hash varchar(64),
    block_count integer default 0,
    entry_count integer default 0,
    difficulty integer default 4,
    updated_at timestamptz default current_timestamp
  );

  create table if not exists contracts (
    id uuid primary key default gen_random_uuid(),
    contract_id varchar(64) not null unique,
    title varchar(500),
    content text not null,
    parties jsonb default '[]',
    terms jsonb default '[]',
    status varchar(50) default 'draft',
    created_by varchar(255) not null,
    created_at timestamptz default current_timestamp,
    updated_at timestamptz default current_timestamp,
    metadata jsonb default '{}'
  );

  create table if not exists disputes (
    id uuid primary key default gen_random_uuid(),
    dispute_id varchar(64) not null unique,
    contract_id uuid references contracts (id) on delete set null,
    entry_id uuid references entries (id) on delete set null,
    claimant varchar(255) not null,
    respondent varchar(255),
    claim text not null,
    status varchar(50) default 'open',
    resolution text,
    resolved_by varchar(255),
    created_at timestamptz default current_timestamp,
    resolved_at timestamptz,
    metadata jsonb default '{}'
  );

  create table if not exists audit_log (
    id bigserial primary key,
    event_type varchar(100) not null,
    entity_type varchar(50) not null,
    entity_id varchar(64) not null,
    actor varchar(255),
    action varchar(50) not null,
    old_value jsonb,
    new_value jsonb,
    ip_address inet,
    user_agent text,
    created_at timestamptz default current_timestamp
  );

  create table if not exists schema_migrations (
    version integer primary key,
    name varchar(255) not null,
    applied_at timestamptz default current_timestamp
  );
`

const indexes = `
  create index if not exists idx_entries_author on entries (author);
  create index if not exists idx_entries_intent on entries (intent);
  create index if not exists idx_entries_metadata on entries using gin (metadata);
  create index if not exists idx_entries_timestamp on entries (timestamp);

  create index if not exists idx_blocks_hash on blocks (hash);
  create index if not exists idx_blocks_index on blocks (block_index);
  create index if not exists idx_blocks_previous_hash on blocks (previous_hash);

  create index if not exists idx_block_entries_block on block_entries (block_id);
  create index if not exists idx_block_entries_entry on block_entries (entry_id);

  create index if not exists idx_validation_entry on validation_results (entry_id);
  create index if not exists idx_validation_type on validation_results (validator_type);
  create index if not exists idx_validation_valid on validation_results (is_valid);

  create index if not exists idx_contracts_created_by on contracts (created_by);
  create index if not exists idx_contracts_parties on contracts using gin (parties);
  create index if not exists idx_contracts_status on contracts (status);

  create index if not exists idx_disputes_claimant on disputes (claimant);
  create index if not exists idx_disputes_contract on disputes (contract_id);
  create index if not exists idx_disputes_status on disputes (status);

  create index if not exists idx_audit_actor on audit_log (actor);
  create index if not exists idx_audit_created on audit_log (created_at);
  create index if not exists idx_audit_entity on audit_log (entity_type, entity_id);
  create index if not exists idx_audit_type on audit_log (event_type);
`

const triggers = `
  create or replace function update_updated_at_column() returns trigger language plpgsql as $$
  begin
    new.updated_at = current_timestamp;
    return new;
  end
  $$;

  create or replace trigger update_entries_updated_at before update on entries
    for each row execute function update_updated_at_column();
  create or replace trigger update_contracts_updated_at before update on contracts
    for each row execute function update_updated_at_column();
  create or replace trigger update_chain_state_updated_at before update on chain_state
    for each row execute function update_updated_at_column();
`

const comments = `
  comment on table entries is 'Natural language blockchain entries';
  comment on table blocks is 'Blocks containing grouped entries';
  comment on table block_entries is 'Junction table for block-entry relationships';
  comment on table validation_results is 'LLM and rule validation results';
  comment on table chain_state is 'Singleton table for chain coordination';
  comment on table contracts is 'Natural language smart contracts';
  comment on table disputes is 'Dispute resolution records';
  comment on table audit_log is 'Audit trail for operations';
  comment on table schema_migrations is 'Migration version tracking';
`

// 32 hexadecimal characters: a random UUID without its hyphens, which needs no pgcrypto.
const rows = `
  insert into chain_state (id, chain_id) values (1, replace(gen_random_uuid()::text, '-', '')) on conflict do nothing;
  insert into schema_migrations (version, name) values (1, '001_initial_schema') on conflict do nothing;
`
