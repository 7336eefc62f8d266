import type { Knex } from 'knex'

import type { TableCatalog } from '../catalog.ts'
import { initialTables } from './initial.ts'
import { scalingTables } from './scaling.ts'
import { searchTables } from './search.ts'

/** How far a deployment had come: which of the old SQL files it had run. */
export type DeployedVersion = 1 | 2 | 3

const names = ['001_initial_schema', '002_add_semantic_search', '003_add_scaling_tables'] as const
const tablesOf = [initialTables, searchTables, scalingTables] as const

/**
 * Makes a database as the old SQL files left it, with rows: from the catalog facts, not from the migrations under test.
 *
 * Their ids came from uuid_generate_v4() of uuid-ossp, which few servers have; a function of that name stands for it.
 */
export async function deployOldSchema(knex: Knex, version: DeployedVersion): Promise<void> {
  await knex.raw(`create function uuid_generate_v4() returns uuid language sql as 'select gen_random_uuid()'`)
  if (version >= 2) await knex.raw('create extension vector')
  for (const tables of tablesOf.slice(0, version)) {
    for (const [name, table] of Object.entries(tables)) await knex.raw(statementsFor(name, table))
  }
  for (const functions of [initialFunctions, searchFunctions, scalingFunctions].slice(0, version)) {
    await knex.raw(functions)
  }
  await knex('schema_migrations').insert(
    names.slice(0, version).map((name, index) => ({ version: index + 1, name, applied_at: '2024-05-01T12:00:00Z' })),
  )
  await knex.raw([initialRows, searchRows, scalingRows].slice(0, version).join(''))
}

function statementsFor(name: string, { comment, columns, constraints, indexes }: TableCatalog): string {
  const serial = columns.map((column) => /nextval\('(\w+)'/.exec(column)?.[1]).find((found) => found !== undefined)
  const definitions = [
    ...columns.map((column) => column.replace('gen_random_uuid()', 'uuid_generate_v4()')),
    ...Object.entries(constraints).map(([key, definition]) => `constraint ${key} ${definition}`),
  ]
  return [
    ...(serial === undefined ? [] : [`create sequence ${serial}`]),
    `create table ${name} (${definitions.join(', ')})`,
    ...(serial === undefined ? [] : [`alter sequence ${serial} owned by ${name}.id`]),
    ...Object.entries(indexes).map(([index, definition]) => `create index ${index} on ${name} using ${definition}`),
    `comment on table ${name} is '${comment}'`,
  ].join(';\n')
}

const initialFunctions = `
  CREATE FUNCTION update_updated_at_column() RETURNS TRIGGER AS $$
  BEGIN NEW.updated_at = CURRENT_TIMESTAMP; RETURN NEW; END;
  $$ LANGUAGE plpgsql;
  CREATE TRIGGER update_entries_updated_at BEFORE UPDATE ON entries
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
  CREATE TRIGGER update_contracts_updated_at BEFORE UPDATE ON contracts
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
  CREATE TRIGGER update_chain_state_updated_at BEFORE UPDATE ON chain_state
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();`

// What they did inside does not matter here: the migrations replace their bodies, which only works where the names
// and types of the arguments and of the result are the same.
const stub = 'BEGIN RAISE EXCEPTION $m$the old body$m$; END'

const searchFunctions = `
  CREATE FUNCTION search_similar_entries(query_embedding vector(384), limit_count INTEGER DEFAULT 10,
    similarity_threshold FLOAT DEFAULT 0.5)
  RETURNS TABLE (entry_id UUID, content TEXT, author VARCHAR, similarity FLOAT) AS $$ ${stub} $$ LANGUAGE plpgsql;
  CREATE FUNCTION search_similar_contracts(query_embedding vector(384), limit_count INTEGER DEFAULT 10,
    similarity_threshold FLOAT DEFAULT 0.5)
  RETURNS TABLE (contract_id UUID, title VARCHAR, similarity FLOAT) AS $$ ${stub} $$ LANGUAGE plpgsql;`

const scalingFunctions = `
  CREATE FUNCTION acquire_lock(p_lock_name VARCHAR(255), p_owner_id VARCHAR(64), p_ttl_seconds INTEGER DEFAULT 30)
  RETURNS BOOLEAN AS $$ ${stub} $$ LANGUAGE plpgsql;
  CREATE FUNCTION release_lock(p_lock_name VARCHAR(255), p_owner_id VARCHAR(64))
  RETURNS BOOLEAN AS $$ ${stub} $$ LANGUAGE plpgsql;
  CREATE FUNCTION cache_get(p_key VARCHAR(512)) RETURNS JSONB AS $$ ${stub} $$ LANGUAGE plpgsql;
  CREATE FUNCTION cache_set(p_key VARCHAR(512), p_value JSONB, p_ttl_seconds INTEGER DEFAULT NULL)
  RETURNS VOID AS $$ ${stub} $$ LANGUAGE plpgsql;
  CREATE FUNCTION cache_delete(p_key VARCHAR(512)) RETURNS BOOLEAN AS $$ ${stub} $$ LANGUAGE plpgsql;
  CREATE FUNCTION claim_job(p_worker_id VARCHAR(64), p_job_types VARCHAR(100)[] DEFAULT NULL,
    p_lock_seconds INTEGER DEFAULT 300)
  RETURNS UUID AS $$ ${stub} $$ LANGUAGE plpgsql;
  CREATE FUNCTION cleanup_expired_data() RETURNS TABLE (table_name TEXT, rows_deleted BIGINT)
  AS $$ ${stub} $$ LANGUAGE plpgsql;`

const initialRows = `
  insert into chain_state (id, chain_id, block_count, entry_count) values (1, 'the-chain-of-2024', 1, 2);
  insert into entries (id, entry_id, content, author) values
    ('00000000-0000-4000-8000-000000000001', 'first', 'Alice lends Bob a ladder', 'alice'),
    ('00000000-0000-4000-8000-000000000002', 'second', 'Bob returns the ladder', 'bob');
  insert into blocks (block_index, timestamp, previous_hash, hash) values (0, '2024-05-01', repeat('0', 64), repeat('a', 64));
  insert into block_entries (block_id, entry_id, position) select 1, id, row_number() over () from entries;
  insert into validation_results (entry_id, validator_type, is_valid, confidence)
    select id, 'llm', true, 0.9 from entries;
  insert into contracts (id, contract_id, title, content, created_by)
    values ('00000000-0000-4000-8000-000000000003', 'loan', 'A ladder', 'Bob brings it back', 'alice');
  insert into disputes (dispute_id, contract_id, claimant, claim)
    values ('late', '00000000-0000-4000-8000-000000000003', 'alice', 'It came back late');
  insert into audit_log (event_type, entity_type, entity_id, action, ip_address)
    values ('entry', 'entry', 'first', 'create', '192.0.2.1');`

const searchRows = `
  insert into entry_embeddings (entry_id, embedding)
    select id, ('[1' || repeat(',0', 383) || ']')::vector from entries;
  insert into contract_embeddings (contract_id, section, embedding)
    select id, 'full', ('[1' || repeat(',0', 383) || ']')::vector from contracts;`

const scalingRows = `
  insert into instance_registry (instance_id, host, port, started_at, last_heartbeat)
    values ('api-1', 'localhost', 8000, '2024-05-01', '2024-05-02');
  insert into distributed_locks (lock_name, owner_id, expires_at) values ('mining', 'api-1', '2024-05-02');
  insert into cache_entries (cache_key, cache_value) values ('greeting', '"hello"');
  insert into metrics_snapshots (metric_name, metric_type, metric_value) values ('requests', 'counter', 17);
  insert into scheduled_jobs (job_name, job_type, scheduled_for) values ('nightly', 'report', '2024-05-02');`
