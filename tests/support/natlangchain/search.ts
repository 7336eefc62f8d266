import type { TableCatalog } from '../catalog.ts'

/** What migration 002 creates. */
export const searchTables: Readonly<Record<string, TableCatalog>> = {
  entry_embeddings: {
    comment: 'Vector embeddings for entry search',
    columns: [
      'id uuid not null default gen_random_uuid()',
      'entry_id uuid not null',
      'embedding vector(384)',
      "model_name character varying(100) not null default 'all-MiniLM-L6-v2'::character varying",
      'created_at timestamp with time zone default CURRENT_TIMESTAMP',
    ],
    constraints: {
      entry_embeddings_entry_id_fkey: 'FOREIGN KEY (entry_id) REFERENCES entries(id) ON DELETE CASCADE',
      entry_embeddings_entry_id_model_name_key: 'UNIQUE (entry_id, model_name)',
      entry_embeddings_pkey: 'PRIMARY KEY (id)',
    },
    indexes: {
      idx_entry_embeddings_entry: 'btree (entry_id)',
      idx_entry_embeddings_model: 'btree (model_name)',
      idx_entry_embeddings_vector: "hnsw (embedding vector_cosine_ops) WITH (m='16', ef_construction='64')",
    },
  },
  contract_embeddings: {
    comment: 'Vector embeddings for contract search',
    columns: [
      'id uuid not null default gen_random_uuid()',
      'contract_id uuid not null',
      'section character varying(100)',
      'embedding vector(384)',
      "model_name character varying(100) not null default 'all-MiniLM-L6-v2'::character varying",
      'created_at timestamp with time zone default CURRENT_TIMESTAMP',
    ],
    constraints: {
      contract_embeddings_contract_id_fkey: 'FOREIGN KEY (contract_id) REFERENCES contracts(id) ON DELETE CASCADE',
      contract_embeddings_contract_id_section_model_name_key: 'UNIQUE (contract_id, section, model_name)',
      contract_embeddings_pkey: 'PRIMARY KEY (id)',
    },
    indexes: {
      idx_contract_embeddings_contract: 'btree (contract_id)',
      idx_contract_embeddings_vector: "hnsw (embedding vector_cosine_ops) WITH (m='16', ef_construction='64')",
    },
  },
}

/** Its functions: name, arguments and result. */
export const searchFunctions = [
  'search_similar_contracts(query_embedding vector, limit_count integer DEFAULT 10, similarity_threshold double precision DEFAULT 0.5) ' +
    'returns TABLE(contract_id uuid, title character varying, similarity double precision)',
  'search_similar_entries(query_embedding vector, limit_count integer DEFAULT 10, similarity_threshold double precision DEFAULT 0.5) ' +
    'returns TABLE(entry_id uuid, content text, author character varying, similarity double precision)',
]
