import type { VectorColumn } from '../columns/column.ts'
import { json, literal, qualified } from '../core/sql.ts'
import type { Session } from '../database/session.ts'
import { currentTarget } from '../database/target.ts'
import { readCatalogFacts, REGISTRY, type CatalogFacts } from './facts.ts'
import type { Comparison } from './comparison.ts'
import type { StoredPair } from './pair.ts'

/** What the registry knows about an embedding. */
export interface RegistryRow {
  /** Its first column, which names it. */
  readonly name: string
  /** Every column that its vectors were in, also those that a change has dropped. */
  readonly columns: readonly string[]
  /** The pair that is searched. */
  readonly active: StoredPair
  /** The two pairs of a running change; null if there is none. */
  readonly source: StoredPair | null
  readonly target: StoredPair | null
  /** The last comparison of the two; null before it. */
  readonly compared: Comparison | null
  /** The rows per second of the last run; null before it. */
  readonly speed: number | null
  /** How long ago the active pair changed. */
  readonly milliseconds: number
}

/** The catalog, and the row of an embedding. */
export interface RegistryState {
  readonly facts: CatalogFacts
  readonly row: RegistryRow | null
}

/** Reads the row of the embedding that has, or had, this column. It reads no registry that is not trusted. */
export async function readRegistry(session: Session, column: VectorColumn): Promise<RegistryState> {
  const facts = await readCatalogFacts(session, column)
  const { table, registry } = facts
  if (table === null || registry === null || !registry.canRead || registry.distrust !== null)
    return { facts, row: null }
  const row = await session.askAsCaller<RegistryRow | null>(`select (
      select ${rowAsJson} from ${registryOf(table)} r where ${isOf(table.name, column.name)}
    ) as state`)
  return { facts, row }
}

/** Reads the tables with a running change of one of these columns that do not exist any more. */
export function readLostTables(
  session: Session,
  table: { readonly schema: string },
  columns: readonly string[],
): Promise<readonly string[]> {
  return session.askAsCaller<readonly string[]>(
    `select coalesce(pg_catalog.json_agg(r.table_name), '[]') as state from ${registryOf(table)} r
    where r.target is not null and r.columns operator(pg_catalog.&&) $1::pg_catalog.text[] and not exists (
      select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace
      where n.nspname operator(pg_catalog.=) ${literal(table.schema)} and c.relname operator(pg_catalog.=) r.table_name
    )`,
    [columns],
  )
}

/** The registry for the embeddings of a table, quoted. */
export function registryOf({ schema }: { readonly schema: string }): string {
  return qualified(schema, REGISTRY)
}

const rowAsJson = `pg_catalog.json_build_object('name', r.column_name, 'columns', r.columns, 'active', r.active,
        'source', r.source, 'target', r.target, 'compared', r.compared, 'speed', r.rows_per_second,
        'milliseconds', pg_catalog.round(extract(epoch from pg_catalog.clock_timestamp() operator(pg_catalog.-) r.switched_at) operator(pg_catalog.*) 1000))`

/** SQL: whether a row of the registry is that of the embedding with this column. */
export function isOf(table: string, column: string): string {
  return `r.table_name operator(pg_catalog.=) ${literal(table)} and ${literal(column)} operator(pg_catalog.=) any (r.columns)`
}

/** Returns the statements that create the registry. A script written from a plan runs in a database that may have it. */
export function createRegistrySql(table: { readonly schema: string }): readonly string[] {
  const name = registryOf(table)
  return [
    `create table ${currentTarget() === null ? '' : 'if not exists '}${name} (
      table_name pg_catalog.text not null,
      column_name pg_catalog.text not null,
      columns pg_catalog.text[] not null,
      active pg_catalog.jsonb not null,
      source pg_catalog.jsonb,
      target pg_catalog.jsonb,
      compared pg_catalog.jsonb,
      rows_per_second pg_catalog.float8,
      switched_at pg_catalog.timestamptz not null default pg_catalog.clock_timestamp(),
      primary key (table_name, column_name)
    )`,
    `comment on table ${name} is 'Which column and model each embedding is searched by (knex-pgvector)'`,
  ]
}

/** Returns the statement that registers an embedding which is not registered yet. */
export function registerSql(table: { readonly schema: string; readonly name: string }, active: StoredPair): string {
  const { column } = active
  return `insert into ${registryOf(table)} (table_name, column_name, columns, active)
    values (${literal(table.name)}, ${literal(column)}, array[${literal(column)}], ${json(active)}) on conflict do nothing`
}

/** What a step changes in a row. */
export type RegistryChange = Partial<
  Pick<RegistryRow, 'active' | 'source' | 'target' | 'compared' | 'speed' | 'columns'>
>

/** Returns the statement that changes a row. */
export function updateSql(
  table: { readonly schema: string; readonly name: string },
  column: string,
  change: RegistryChange,
): string {
  const { active, source, target, compared, speed, columns } = change
  const sets = [
    ...(active === undefined ? [] : [`active = ${json(active)}`, 'switched_at = pg_catalog.clock_timestamp()']),
    ...(source === undefined ? [] : [`source = ${orNull(source)}`]),
    ...(target === undefined ? [] : [`target = ${orNull(target)}`]),
    ...(compared === undefined ? [] : [`compared = ${orNull(compared)}`]),
    ...(speed === undefined ? [] : [`rows_per_second = ${speed === null ? 'null' : String(speed)}`]),
    ...(columns === undefined ? [] : [`columns = array[${columns.map(literal).join(', ')}]`]),
  ]
  return `update ${registryOf(table)} as r set ${sets.join(', ')} where ${isOf(table.name, column)}`
}

function orNull(value: unknown): string {
  return value === null ? 'null' : json(value)
}

/** Returns the statement that removes the row of an embedding whose model was never changed. */
export function forgetRowSql(table: { readonly schema: string; readonly name: string }, column: string): string {
  return `delete from ${registryOf(table)} as r where ${isOf(table.name, column)}`
}
