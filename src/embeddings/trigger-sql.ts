import { identifier, literal, qualified, withoutEscapes } from '../core/sql.ts'
import { keyNames } from './key-sql.ts'
import { sideTables, type SideNames } from './names.ts'
import type { VectorTarget } from './target.ts'

/** What the trigger of a column is written from. */
export interface MarkedColumn {
  readonly target: VectorTarget
  readonly names: SideNames
}

// In a function's body, and where PostgreSQL prints a trigger, names have no escapes.
function plain(name: string): string {
  return withoutEscapes(identifier(name))
}

/** The columns whose change makes a vector stale: the key, because a mark names it, and the source. */
function watched({ key, read }: VectorTarget): readonly string[] {
  return [...new Set([...key.map(({ name }) => name), ...read.map(({ name }) => name)])]
}

function rowOf(version: 'old' | 'new', columns: readonly string[]): string {
  return `row(${columns.map((name) => `${version}.${plain(name)}`).join(', ')})`
}

function differs(columns: readonly string[]): string {
  return `pg_catalog.record_image_ne(${rowOf('old', columns)}, ${rowOf('new', columns)})`
}

/**
 * Returns the body of the trigger's function. It appends a mark: an update of a mark would make serializable
 * transactions fail while a worker holds it. If a statement brings a new vector, its hash is not known.
 */
export function functionBody({ target, names }: MarkedColumn, notifies: boolean): string {
  const { key, column, schema } = target
  const marks = withoutEscapes(sideTables(schema, names).marks)
  const values = key.map(({ name }) => `new.${plain(name)}`).join(', ')
  const notify = notifies ? `\n    perform pg_catalog.pg_notify('${names.marks.replaceAll("'", "''")}', '');` : ''
  return `begin
  if ${differs([column.name])} then
    new.${plain(names.hash)} := null;
  else
    insert into ${marks} (${keyNames(key).join(', ')}) values (${values});${notify}
  end if;
  return new;
end`
}

/** Returns the statements that create the function, which only the trigger can call. */
export function createFunctionSql(marked: MarkedColumn, notifies: boolean): readonly string[] {
  const name = functionName(marked)
  return [
    `create or replace function ${name}() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as ${literal(functionBody(marked, notifies))}`,
    `revoke execute on function ${name}() from public`,
  ]
}

export function functionName({ target, names }: MarkedColumn): string {
  return qualified(target.schema, names.function)
}

/**
 * Returns the statement that creates the trigger. It is a BEFORE trigger, because an update that moves a row to another
 * partition fires no AFTER UPDATE. It compares images, because a type can lack an operator, and because the operators
 * of vectors could not be found when a dump is restored.
 */
export function createTriggerSql(marked: MarkedColumn): string {
  const { target, names } = marked
  const sources = watched(target)
  const vector = [target.column.name]
  return `create trigger ${identifier(names.trigger)} before update of ${[...sources, ...vector].map(identifier).join(', ')} on ${target.table}
    for each row when (
      (${differs(sources)} and not ${differs(vector)}) or (${differs(vector)} and not ${differs([names.hash])})
    ) execute function ${functionName(marked)}()`
}

/** Whether a trigger, as PostgreSQL prints it, is the one that {@link createTriggerSql} creates. */
export function isSameTrigger(marked: MarkedColumn, definition: string): boolean {
  return normalised(withoutEscapes(createTriggerSql(marked))) === normalised(definition)
}

// PostgreSQL prints brackets and quotes of its own, and functions on the search path without their schema. Which
// function the trigger calls is compared by its OID.
function normalised(sql: string): string {
  const text = sql
    .replaceAll(/[()"\s]/g, '')
    .replaceAll('pg_catalog.', '')
    .toLowerCase()
  return text.slice(0, text.lastIndexOf('executefunction'))
}
