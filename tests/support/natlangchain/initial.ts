import type { TableCatalog } from '../catalog.ts'

/** What migration 001 creates. */
export const initialTables: Readonly<Record<string, TableCatalog>> = {
  entries: {
    comment: 'Natural language blockchain entries',
    columns: [
      'id uuid not null default gen_random_uuid()',
      'entry_id character varying(64) not null',
      'content text not null',
      'author character varying(255) not null',
      'intent character varying(100)',
      'timestamp timestamp with time zone default CURRENT_TIMESTAMP',
      'signature text',
      "metadata jsonb default '{}'::jsonb",
      'created_at timestamp with time zone default CURRENT_TIMESTAMP',
      'updated_at timestamp with time zone default CURRENT_TIMESTAMP',
    ],
    constraints: {
      entries_entry_id_key: 'UNIQUE (entry_id)',
      entries_pkey: 'PRIMARY KEY (id)',
    },
    indexes: {
      idx_entries_author: 'btree (author)',
      idx_entries_intent: 'btree (intent)',
      idx_entries_metadata: 'gin (metadata)',
      idx_entries_timestamp: 'btree ("timestamp")',
    },
  },
  blocks: {
    comment: 'Blocks containing grouped entries',
    columns: [
      "id integer not null default nextval('blocks_id_seq'::regclass)",
      'block_index integer not null',
      'timestamp timestamp with time zone not null',
      'previous_hash character varying(64) not null',
      'hash character varying(64) not null',
      'nonce integer default 0',
      'difficulty integer default 4',
      'created_at timestamp with time zone default CURRENT_TIMESTAMP',
    ],
    constraints: {
      blocks_block_index_key: 'UNIQUE (block_index)',
      blocks_hash_key: 'UNIQUE (hash)',
      blocks_pkey: 'PRIMARY KEY (id)',
    },
    indexes: {
      idx_blocks_hash: 'btree (hash)',
      idx_blocks_index: 'btree (block_index)',
      idx_blocks_previous_hash: 'btree (previous_hash)',
    },
  },
  block_entries: {
    comment: 'Junction table for block-entry relationships',
    columns: [
      "id integer not null default nextval('block_entries_id_seq'::regclass)",
      'block_id integer not null',
      'entry_id uuid not null',
      'position integer not null',
    ],
    constraints: {
      block_entries_block_id_entry_id_key: 'UNIQUE (block_id, entry_id)',
      block_entries_block_id_fkey: 'FOREIGN KEY (block_id) REFERENCES blocks(id) ON DELETE CASCADE',
      block_entries_block_id_position_key: 'UNIQUE (block_id, "position")',
      block_entries_entry_id_fkey: 'FOREIGN KEY (entry_id) REFERENCES entries(id) ON DELETE CASCADE',
      block_entries_pkey: 'PRIMARY KEY (id)',
    },
    indexes: {
      idx_block_entries_block: 'btree (block_id)',
      idx_block_entries_entry: 'btree (entry_id)',
    },
  },
  validation_results: {
    comment: 'LLM and rule validation results',
    columns: [
      'id uuid not null default gen_random_uuid()',
      'entry_id uuid not null',
      'validator_type character varying(50) not null',
      'is_valid boolean not null',
      'confidence numeric(5,4)',
      'reasoning text',
      "validator_metadata jsonb default '{}'::jsonb",
      'validated_at timestamp with time zone default CURRENT_TIMESTAMP',
    ],
    constraints: {
      validation_results_entry_id_fkey: 'FOREIGN KEY (entry_id) REFERENCES entries(id) ON DELETE CASCADE',
      validation_results_pkey: 'PRIMARY KEY (id)',
    },
    indexes: {
      idx_validation_entry: 'btree (entry_id)',
      idx_validation_type: 'btree (validator_type)',
      idx_validation_valid: 'btree (is_valid)',
    },
  },
  chain_state: {
    comment: 'Singleton table for chain coordination',
    columns: [
      'id integer not null default 1',
      'chain_id character varying(64) not null',
      'last_block_hash character varying(64)',
      'block_count integer default 0',
      'entry_count integer default 0',
      'difficulty integer default 4',
      'updated_at timestamp with time zone default CURRENT_TIMESTAMP',
    ],
    constraints: {
      chain_state_id_check: 'CHECK ((id = 1))',
      chain_state_pkey: 'PRIMARY KEY (id)',
    },
    indexes: {},
  },
  contracts: {
    comment: 'Natural language smart contracts',
    columns: [
      'id uuid not null default gen_random_uuid()',
      'contract_id character varying(64) not null',
      'title character varying(500)',
      'content text not null',
      "parties jsonb default '[]'::jsonb",
      "terms jsonb default '[]'::jsonb",
      "status character varying(50) default 'draft'::character varying",
      'created_by character varying(255) not null',
      'created_at timestamp with time zone default CURRENT_TIMESTAMP',
      'updated_at timestamp with time zone default CURRENT_TIMESTAMP',
      "metadata jsonb default '{}'::jsonb",
    ],
    constraints: {
      contracts_contract_id_key: 'UNIQUE (contract_id)',
      contracts_pkey: 'PRIMARY KEY (id)',
    },
    indexes: {
      idx_contracts_created_by: 'btree (created_by)',
      idx_contracts_parties: 'gin (parties)',
      idx_contracts_status: 'btree (status)',
    },
  },
  disputes: {
    comment: 'Dispute resolution records',
    columns: [
      'id uuid not null default gen_random_uuid()',
      'dispute_id character varying(64) not null',
      'contract_id uuid',
      'entry_id uuid',
      'claimant character varying(255) not null',
      'respondent character varying(255)',
      'claim text not null',
      "status character varying(50) default 'open'::character varying",
      'resolution text',
      'resolved_by character varying(255)',
      'created_at timestamp with time zone default CURRENT_TIMESTAMP',
      'resolved_at timestamp with time zone',
      "metadata jsonb default '{}'::jsonb",
    ],
    constraints: {
      disputes_contract_id_fkey: 'FOREIGN KEY (contract_id) REFERENCES contracts(id) ON DELETE SET NULL',
      disputes_dispute_id_key: 'UNIQUE (dispute_id)',
      disputes_entry_id_fkey: 'FOREIGN KEY (entry_id) REFERENCES entries(id) ON DELETE SET NULL',
      disputes_pkey: 'PRIMARY KEY (id)',
    },
    indexes: {
      idx_disputes_claimant: 'btree (claimant)',
      idx_disputes_contract: 'btree (contract_id)',
      idx_disputes_status: 'btree (status)',
    },
  },
  audit_log: {
    comment: 'Audit trail for operations',
    columns: [
      "id bigint not null default nextval('audit_log_id_seq'::regclass)",
      'event_type character varying(100) not null',
      'entity_type character varying(50) not null',
      'entity_id character varying(64) not null',
      'actor character varying(255)',
      'action character varying(50) not null',
      'old_value jsonb',
      'new_value jsonb',
      'ip_address inet',
      'user_agent text',
      'created_at timestamp with time zone default CURRENT_TIMESTAMP',
    ],
    constraints: {
      audit_log_pkey: 'PRIMARY KEY (id)',
    },
    indexes: {
      idx_audit_actor: 'btree (actor)',
      idx_audit_created: 'btree (created_at)',
      idx_audit_entity: 'btree (entity_type, entity_id)',
      idx_audit_type: 'btree (event_type)',
    },
  },
  schema_migrations: {
    comment: 'Migration version tracking',
    columns: [
      'version integer not null',
      'name character varying(255) not null',
      'applied_at timestamp with time zone default CURRENT_TIMESTAMP',
    ],
    constraints: {
      schema_migrations_pkey: 'PRIMARY KEY (version)',
    },
    indexes: {},
  },
}

/** Its functions: name, arguments and result. */
export const initialFunctions = ['update_updated_at_column() returns trigger']
