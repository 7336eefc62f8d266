import type { Knex } from 'knex'
import { dropPgvector, ensurePgvector, inspectPgvector } from 'knex-pgvector'

/** Creates embeddings of entries and contracts, and the functions that search them. Needs pgvector, in any schema. */
export async function up(knex: Knex): Promise<void> {
  // The new tables refer to entries and contracts, and their writers must not wait behind this migration for long.
  await knex.raw(`set local lock_timeout = '5s'`)
  const { schema } = await ensurePgvector(knex)
  const pgvector = quoted(schema)
  await knex.raw(tables(pgvector))
  // This transaction has just created the tables, so no session waits for an index on an empty table.
  await knex.raw(indexes(pgvector))
  await knex.raw(functions(pgvector))
  await knex.raw(comments(pgvector))
  await knex.raw(`
    insert into schema_migrations (version, name) values (2, '002_add_semantic_search') on conflict do nothing
  `)
}

export async function down(knex: Knex): Promise<void> {
  const { installed } = await inspectPgvector(knex)
  // Their argument is a vector. Without the extension they no longer exist, and cannot even be named.
  if (installed !== null) {
    const pgvector = quoted(installed.schema)
    await knex.raw(`
      drop function if exists search_similar_contracts(${pgvector}.vector, integer, double precision);
      drop function if exists search_similar_entries(${pgvector}.vector, integer, double precision);
    `)
  }
  await knex.raw(`
    drop table if exists contract_embeddings;
    drop table if exists entry_embeddings;
    delete from schema_migrations where version = 2;
  `)
  await dropPgvector(knex)
}

// Knex's ?? is not used here, because it splits a name at its dots and passes it to the application's wrapIdentifier.
function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

const tables = (pgvector: string): string => `
  create table if not exists entry_embeddings (
    id uuid primary key default gen_random_uuid(),
    entry_id uuid not null references entries (id) on delete cascade,
    embedding ${pgvector}.vector(384),
    model_name varchar(100) not null default 'all-MiniLM-L6-v2',
    created_at timestamptz default current_timestamp,
    unique (entry_id, model_name)
  );

  create table if not exists contract_embeddings (
    id uuid primary key default gen_random_uuid(),
    contract_id uuid not null references contracts (id) on delete cascade,
    section varchar(100),
    embedding ${pgvector}.vector(384),
    model_name varchar(100) not null default 'all-MiniLM-L6-v2',
    created_at timestamptz default current_timestamp,
    unique (contract_id, section, model_name)
  );
`

const indexes = (pgvector: string): string => `
  create index if not exists idx_entry_embeddings_entry on entry_embeddings (entry_id);
  create index if not exists idx_entry_embeddings_model on entry_embeddings (model_name);
  create index if not exists idx_entry_embeddings_vector on entry_embeddings
    using hnsw (embedding ${pgvector}.vector_cosine_ops) with (m = 16, ef_construction = 64);

  create index if not exists idx_contract_embeddings_contract on contract_embeddings (contract_id);
  create index if not exists idx_contract_embeddings_vector on contract_embeddings
    using hnsw (embedding ${pgvector}.vector_cosine_ops) with (m = 16, ef_construction = 64);
`

/**
 * The nearest rows are those with the highest similarity, so the threshold is applied after the limit. The HNSW index
 * can only serve an ORDER BY of the distance with a LIMIT, and nothing else.
 *
 * The index makes the search approximate. It reads hnsw.ef_search rows (40) before the section is compared. If
 * limit_count is higher, or most contracts have many sections, a caller that needs every row has two options. It can
 * raise the setting (SET hnsw.ef_search = 200) or, from pgvector 0.8.0, let the scan continue (SET hnsw.iterative_scan
 * = strict_order).
 *
 * A vector of zeros has no direction. Its distance is NaN, which PostgreSQL sorts above every number.
 */
const functions = (pgvector: string): string => `
  create or replace function search_similar_entries(
    query_embedding ${pgvector}.vector(384),
    limit_count integer default 10,
    similarity_threshold double precision default 0.5
  ) returns table (entry_id uuid, content text, author varchar, similarity double precision)
  language plpgsql stable as $$
  begin
    return query
    select e.id, e.content, e.author, 1 - nearest.distance
    from (
      select m.entry_id, m.embedding operator(${pgvector}.<=>) query_embedding as distance
      from entry_embeddings m
      where m.embedding is not null
      order by m.embedding operator(${pgvector}.<=>) query_embedding
      limit limit_count
    ) nearest
    join entries e on e.id = nearest.entry_id
    where 1 - nearest.distance >= similarity_threshold and nearest.distance < 'NaN'
    order by nearest.distance;
  end
  $$;

  create or replace function search_similar_contracts(
    query_embedding ${pgvector}.vector(384),
    limit_count integer default 10,
    similarity_threshold double precision default 0.5
  ) returns table (contract_id uuid, title varchar, similarity double precision)
  language plpgsql stable as $$
  begin
    return query
    select c.id, c.title, 1 - nearest.distance
    from (
      select m.contract_id, m.embedding operator(${pgvector}.<=>) query_embedding as distance
      from contract_embeddings m
      where m.embedding is not null and m.section = 'full'
      order by m.embedding operator(${pgvector}.<=>) query_embedding
      limit limit_count
    ) nearest
    join contracts c on c.id = nearest.contract_id
    where 1 - nearest.distance >= similarity_threshold and nearest.distance < 'NaN'
    order by nearest.distance;
  end
  $$;
`

const comments = (pgvector: string): string => `
  comment on table entry_embeddings is 'Vector embeddings for entry search';
  comment on table contract_embeddings is 'Vector embeddings for contract search';
  comment on function search_similar_entries(${pgvector}.vector, integer, double precision)
    is 'The entries nearest to an embedding by cosine similarity';
  comment on function search_similar_contracts(${pgvector}.vector, integer, double precision)
    is 'The contracts nearest to an embedding by cosine similarity, by the embedding of their full text';
`
