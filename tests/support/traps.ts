import type { Knex } from 'knex'

/**
 * Makes the schema `hostile`, in which another role has put what our statements might hit where the schema is on the
 * search path: functions, operators and types with the names of PostgreSQL's own, with the same and with better matching
 * arguments. Whoever runs one of them advances a sequence, which no rollback takes back, and fails.
 */
export async function setTraps(knex: Knex): Promise<void> {
  await knex.raw('create schema hostile; create sequence hostile.sprung')
  await knex.raw(`
    create function hostile.spring() returns boolean language plpgsql as $$
      begin
        perform pg_catalog.nextval('hostile.sprung');
        raise exception 'a trap was sprung';
      end $$`)
  for (const statement of [cloneFunctions, cloneOperators, betterFunctions, aggregates, types])
    await knex.raw(statement)
}

/** How many traps were sprung. */
export async function sprung(knex: Knex): Promise<number> {
  const { rows } = await knex.raw<{ rows: [{ count: string }] }>(
    `select case when is_called then last_value else 0 end as count from hostile.sprung`,
  )
  return Number(rows[0].count)
}

// Without version(), which Knex itself asks for when it connects.
const functions = `
  age array_length clock_timestamp concat concat_ws current_database current_schema current_schemas
  current_setting format format_type has_any_column_privilege has_column_privilege has_database_privilege
  has_function_privilege has_schema_privilege has_sequence_privilege has_table_privilege hashtextextended
  json_array_elements json_build_array json_build_object jsonb_array_elements jsonb_build_object jsonb_set left
  length now num_nulls octet_length pg_advisory_unlock pg_backend_pid pg_blocking_pids pg_cancel_backend
  pg_current_xact_id_if_assigned pg_describe_object pg_function_is_visible pg_get_constraintdef pg_get_expr
  pg_get_indexdef pg_get_userbyid pg_has_role pg_is_in_recovery pg_relation_size pg_sequence_last_value
  pg_size_bytes pg_table_is_visible pg_table_size pg_try_advisory_lock pg_try_advisory_xact_lock
  pg_type_is_visible quote_ident regexp_replace replace round row_security_active set_config starts_with
  string_to_array substring to_json to_jsonb to_regclass to_regoperator to_regproc to_regrole to_regtype
  txid_current unnest`
  .trim()
  .split(/\s+/)

const operators = ['=', '<>', '<', '>', '<=', '>=', '||', '->', '->>', '@>', '~', '!~', '~*', '~~', '!~~']
const arithmetic = ['+', '-', '*', '/', '%', '<<', '|']

const list = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(', ')

// Exactly PostgreSQL's own: they come first where the search path names pg_catalog after their schema.
const cloneFunctions = `do $do$
  declare clone record;
  begin
    for clone in
      select proname, pg_get_function_identity_arguments(oid) as arguments, pg_get_function_result(oid) as result
      from pg_proc
      where pronamespace = 'pg_catalog'::regnamespace and prokind = 'f' and proname in (${list(functions)})
        and not proargtypes::oid[] && array['"any"', 'internal', 'cstring']::regtype[]::oid[]
    loop
      execute format('create function hostile.%I(%s) returns %s language plpgsql as $$ begin perform hostile.spring(); end $$',
        clone.proname, clone.arguments, clone.result);
    end loop;
  end $do$`

const cloneOperators = `do $do$
  declare
    clone record;
    number integer := 0;
  begin
    for clone in
      select oprname, oprleft::regtype as l, oprright::regtype as r, oprresult::regtype as result from pg_operator
      where oprnamespace = 'pg_catalog'::regnamespace and oprkind = 'b' and oprname in (${list([...operators, ...arithmetic])})
        and oprleft::regtype::text !~ '^any' and oprright::regtype::text !~ '^any'
    loop
      number := number + 1;
      execute format('create function hostile.trap_%s(%s, %s) returns %s language plpgsql as $$ begin perform hostile.spring(); end $$',
        number, clone.l, clone.r, clone.result);
      execute format('create operator hostile.%s (leftarg = %s, rightarg = %s, function = hostile.trap_%s)',
        clone.oprname, clone.l, clone.r, number);
    end loop;
  end $do$`

// Better than PostgreSQL's own, which take any type: they come first wherever their schema is on the search path.
const betterFunctions = `do $do$
  declare arguments text;
  begin
    foreach arguments in array array['boolean', 'bigint', 'integer', 'json', 'record', 'text', 'name'] loop
      execute format('create function hostile.to_json(%s) returns json language plpgsql as $$ begin perform hostile.spring(); end $$', arguments);
      execute format('create function hostile.to_jsonb(%s) returns jsonb language plpgsql as $$ begin perform hostile.spring(); end $$', arguments);
    end loop;
    foreach arguments in array array['text, variadic text[]', 'text, variadic name[]'] loop
      execute format('create function hostile.format(%s) returns text language plpgsql as $$ begin perform hostile.spring(); end $$', arguments);
      execute format('create function hostile.concat_ws(%s) returns text language plpgsql as $$ begin perform hostile.spring(); end $$', arguments);
    end loop;
    foreach arguments in array array['text, text', 'text, json', 'text, boolean', 'text, integer', 'text, bigint', 'text, text, text, boolean',
        'text, integer, text, bigint', 'text, name, text, text', 'text, text, text, text', 'text, integer, text, boolean'] loop
      execute format('create function hostile.json_build_object(%s) returns json language plpgsql as $$ begin perform hostile.spring(); end $$', arguments);
      execute format('create function hostile.jsonb_build_object(%s) returns jsonb language plpgsql as $$ begin perform hostile.spring(); end $$', arguments);
    end loop;
  end $do$`

const aggregates = `
  create function hostile.spring_state(bigint) returns bigint language plpgsql as $$ begin perform hostile.spring(); end $$;
  create function hostile.spring_json(json, json) returns json language plpgsql as $$ begin perform hostile.spring(); end $$;
  create function hostile.spring_name(json, name) returns json language plpgsql as $$ begin perform hostile.spring(); end $$;
  create function hostile.spring_max(integer, integer) returns integer language plpgsql as $$ begin perform hostile.spring(); end $$;
  create aggregate hostile.count(*) (sfunc = hostile.spring_state, stype = bigint, initcond = '0');
  create aggregate hostile.json_agg(json) (sfunc = hostile.spring_json, stype = json, initcond = '[]');
  create aggregate hostile.json_agg(name) (sfunc = hostile.spring_name, stype = json, initcond = '[]');
  create aggregate hostile.max(integer) (sfunc = hostile.spring_max, stype = integer, initcond = '0');
  create aggregate hostile.min(integer) (sfunc = hostile.spring_max, stype = integer, initcond = '0')`

const types = [
  'text',
  'name',
  'oid',
  'json',
  'jsonb',
  'timestamptz',
  'regclass',
  'regtype',
  'regnamespace',
  'int8',
  'varbit',
]
  .map((name) => `create domain hostile.${name} as pg_catalog.${name} check (hostile.spring())`)
  .join('; ')
