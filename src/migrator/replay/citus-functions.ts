import { tokensOf } from '../../sql-text/tokens.ts'

/** The functions that distribute tables, with their arguments. They change where rows are, and no definition. */
const functions = {
  create_distributed_table:
    "table_name regclass, distribution_column text, distribution_type text default 'hash', colocate_with text default 'default', shard_count int default null",
  create_distributed_table_concurrently:
    "table_name regclass, distribution_column text, distribution_type text default 'hash', colocate_with text default 'default', shard_count int default null",
  create_reference_table: 'table_name regclass',
  citus_add_local_table_to_metadata: 'table_name regclass, cascade_via_foreign_keys boolean default false',
  undistribute_table: 'table_name regclass, cascade_via_foreign_keys boolean default false',
  alter_distributed_table:
    'table_name regclass, distribution_column text default null, shard_count int default null, colocate_with text default null, cascade_to_colocated boolean default null',
  update_distributed_table_colocation: 'table_name regclass, colocate_with text',
  citus_schema_distribute: 'schemaname regnamespace',
  citus_schema_undistribute: 'schemaname regnamespace',
  create_distributed_function:
    "function_name text, distribution_arg_name text default null, colocate_with text default 'default', force_delegation boolean default null",
} as const satisfies Readonly<Record<string, string>>

/** Statements that create these functions in an embedded copy, where they do nothing. */
export const citusFunctionStatements: readonly string[] = Object.entries(functions).map(
  ([name, parameters]) =>
    `create or replace function pg_catalog.${name}(${parameters}) returns void language sql as ''`,
)

/** The names of those that a statement calls. */
export function citusFunctionsIn(sql: string): string[] {
  const words = new Set(Array.from(tokensOf(sql), ({ text }) => text.toLowerCase()))
  return Object.keys(functions).filter((name) => words.has(name))
}
