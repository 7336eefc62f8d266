import { glance } from '../extension/glance.ts'
import type { Glance } from '../extension/state.ts'
import { availableSql } from '../extension/too-old.ts'
import { typeLimits } from '../pgvector/vector-types.ts'
import type { Session } from '../database/session.ts'
import { literal } from '../core/sql.ts'
import type { VectorColumn } from './column.ts'
import { rightsSql, tableNumberSql, type RelationRights } from './table-rights.ts'

/** Everything that determines what can be done with a column. */
export interface ColumnFacts {
  readonly seen: Glance
  /** Null if the table does not exist. */
  readonly table: ColumnTable | null
  /** Null if the table has no such column. */
  readonly column: ExistingColumn | null
  /**
   * The objects that depend on the column, as PostgreSQL describes them. They would be dropped with it, or prevent the
   * drop.
   */
  readonly dependents: readonly string[]
  /**
   * The version that an update would install, if the installed one is too old for the column's type; otherwise null.
   */
  readonly available: string | null
}

/** The table of a column. */
export interface ColumnTable {
  readonly oid: number
  readonly schema: string
  readonly name: string
  /** The rights of the current role. */
  readonly rights: RelationRights
}

/** An existing column. */
export interface ExistingColumn {
  readonly number: number
  /** The type as it is declared, without the extension's schema: vector(384). */
  readonly type: string
  /** Whether the type is pgvector's, or PostgreSQL's bit. */
  readonly isVectorType: boolean
  readonly notNull: boolean
}

/** The column's name as messages print it. */
export function columnLabel({ schema, table, name }: Pick<VectorColumn, 'schema' | 'table' | 'name'>): string {
  return [...(schema === null ? [] : [schema]), table, name].join('.')
}

/** The type, length and nullability of a declared or existing column: vector(384) not null. */
export function columnDeclaration(column: VectorColumn | ExistingColumn): string {
  const { notNull } = column
  return `${'isVectorType' in column ? column.type : declaredType(column)}${notNull ? ' not null' : ''}`
}

function declaredType({ type, dimensions }: VectorColumn): string {
  // In PostgreSQL, bit without a length is bit(1). A bit string of any length is varbit.
  if (dimensions === null) return type === 'bit' ? 'varbit' : type
  return `${type}(${dimensions})`
}

/** Whether a column is as it was declared. */
export function isSameColumn(existing: ExistingColumn, declared: VectorColumn): boolean {
  return existing.isVectorType && columnDeclaration(existing) === columnDeclaration(declared)
}

/** Reads these facts without writing anything. */
export async function readColumnFacts(session: Session, column: VectorColumn): Promise<ColumnFacts> {
  const seen = await glance(session)
  return { seen, ...(await session.ask<Omit<ColumnFacts, 'seen'>>(factsSql(column))) }
}

/** SQL for an {@link ExistingColumn}, as json; its names are those of pg_attribute and pg_type. */
export const existingColumnSql = `json_build_object('number', attnum, 'notNull', attnotnull,
    'type', typname || coalesce('(' || nullif(atttypmod, -1) || ')', ''),
    'isVectorType', typname in ('bit', 'varbit') and typnamespace = 'pg_catalog'::regnamespace
      or typnamespace = (select extnamespace from pg_catalog.pg_extension where extname = 'vector'))`

function factsSql(column: VectorColumn): string {
  return `
    with relation as (
      select c.oid, c.relnamespace, c.relowner, n.nspname, c.relname
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where c.oid = ${tableNumberSql(column)} and c.relkind in ('r', 'p', 'm', 'f')
    ),
    attribute as (
      select a.attrelid, a.attnum, a.attnotnull, a.atttypmod, t.typname, t.typnamespace
      from relation join pg_catalog.pg_attribute a on a.attrelid = relation.oid
      join pg_catalog.pg_type t on t.oid = a.atttypid
      where a.attname = ${literal(column.name)} and a.attnum > 0 and not a.attisdropped
    ),
    dependent as (
      select distinct pg_describe_object(d.classid, d.objid, d.objsubid) as description
      from attribute join pg_catalog.pg_depend d
        on d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = attrelid and d.refobjsubid = attnum
      -- its own default and its own "not null" (a constraint from PostgreSQL 18) are part of the column
      where d.classid <> 'pg_catalog.pg_attrdef'::regclass and not exists (
        select from pg_catalog.pg_constraint c
        where d.classid = 'pg_catalog.pg_constraint'::regclass and c.oid = d.objid and c.contype = 'n'
      )
    )
    select json_build_object(
      'table', (select json_build_object('oid', oid::bigint, 'schema', nspname, 'name', relname,
        'rights', ${rightsSql('relation')}) from relation),
      'column', (
        select ${existingColumnSql} from attribute
      ),
      'dependents', (select coalesce(json_agg(description order by description), '[]') from dependent),
      'available', (
        select ${availableSql('extversion', typeLimits[column.type].since)} from pg_catalog.pg_extension where extname = 'vector'
      )
    ) as state`
}
