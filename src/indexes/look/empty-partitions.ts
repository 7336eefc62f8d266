import type { Session } from '../../database/session.ts'
import { identifier, literal, sendable } from '../../core/sql.ts'
import type { CatalogFacts } from './facts.ts'
import { hidesRowsSql } from '../../columns/table-rights.ts'
import { isValidSql } from './validity.ts'
import { conditionSql, type VectorIndex } from '../vector-index.ts'

/**
 * Returns the partitions of a table, at any level, that have neither rows to train an ivfflat index on nor such an
 * index, as PostgreSQL prints their names. Returns none if that does not matter.
 */
export async function emptyPartitions(
  session: Session,
  index: VectorIndex,
  { table, column, extension }: Pick<CatalogFacts, 'table' | 'column' | 'extension'>,
): Promise<readonly string[]> {
  if (index.method !== 'ivfflat' || table?.kind !== 'partitioned' || column === null || extension === null) return []
  const leaves = await session.ask<readonly Leaf[]>(leavesSql(index, table.oid))
  // If row security restricts what is visible, only the size of a table is conclusive.
  const seen = leaves.filter(({ hidesRows }) => !hidesRows).map(({ name }) => name)
  const empty = seen.length === 0 ? [] : await session.askAsCaller<readonly string[]>(emptySql(index, seen))
  return leaves
    .filter(({ name, hidesRows, hasPages }) => (hidesRows ? !hasPages : empty.includes(name)))
    .map(({ name }) => name)
}

interface Leaf {
  /** As PostgreSQL prints it. */
  readonly name: string
  readonly hidesRows: boolean
  readonly hasPages: boolean
}

function leavesSql({ storage }: VectorIndex, table: number): string {
  return `
    select coalesce(json_agg(json_build_object('name', format('%I.%I', n.nspname, c.relname),
      'hidesRows', ${hidesRowsSql('c.oid', 'n.oid')}, 'hasPages', pg_relation_size(c.oid) > 0
    ) order by n.nspname, c.relname), '[]') as state
    from pg_partition_tree(${table}) t
    join pg_catalog.pg_class c on c.oid = t.relid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and not exists (
      select from pg_catalog.pg_index x
      join pg_catalog.pg_class i on i.oid = x.indexrelid
      join pg_catalog.pg_am m on m.oid = i.relam
      join pg_catalog.pg_opclass o on o.oid = x.indclass[0]
      where x.indrelid = c.oid and ${isValidSql('x')} and m.amname = 'ivfflat'
        and o.opcname = ${literal(storage.operatorClass.name)}
    )`
}

function emptySql(index: VectorIndex, leaves: readonly string[]): string {
  const condition = conditionSql(index)
  const has = `${identifier(index.column.name)} is not null${condition === null ? '' : ` and ${condition}`}`
  const each = leaves.map(
    (leaf) => `select ${literal(leaf)} as name where not exists (select from ${sendable(leaf)} where ${has})`,
  )
  return `select coalesce(pg_catalog.json_agg(name), '[]') as state from (${each.join(' union all ')}) empty`
}
