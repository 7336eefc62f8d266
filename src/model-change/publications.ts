import { typeSql } from '../columns/column.ts'
import { readReplication } from '../columns/replication.ts'
import { identifier, literal, qualified } from '../core/sql.ts'
import type { Session } from '../database/session.ts'
import { sideNames } from '../embeddings/names.ts'
import type { DeclaredChange } from './change-state.ts'
import { REGISTRY, type CatalogFacts } from './facts.ts'

/** A publication that would send the new column to its subscribers. */
interface Publication {
  readonly name: string
  /** Whether it publishes each new table of the schema too. */
  readonly isForNewTables: boolean
}

/**
 * Returns what stops a logical subscriber when the new column is added, and what to do on it before. A subscriber cannot be
 * seen from here.
 */
export async function publicationWarnings(
  session: Session,
  { target: { column } }: Pick<DeclaredChange, 'target'>,
  { table, extension }: CatalogFacts,
): Promise<readonly string[]> {
  if (table === null) return []
  const found = await readPublications(session, table)
  if (found.length === 0) return []
  const names = sideNames(table.name, column.name)
  const label = `${table.schema}.${table.name}`
  const type = typeSql(column.type, column.dimensions, extension)
  const statement =
    `alter table ${qualified(table.schema, table.name)} add column ${identifier(column.name)} ${type}, ` +
    `add column ${identifier(names.hash)} bytea;`
  return found.map(({ name, isForNewTables }) => {
    const tables = [names.marks, names.claims, REGISTRY].map((each) => `${table.schema}.${each}`)
    return (
      `${label} is published by ${name}: a subscriber without the new columns stops at the next change of the table, and this ` +
      `server keeps all WAL for it. Run on each subscriber first: ${statement}` +
      (isForNewTables
        ? ` It publishes new tables too: also create ${tables.join(', ')} there, with the same columns, and refresh the subscription.`
        : ` So that its searches follow the switch, publish ${table.schema}.${REGISTRY} too.`)
    )
  })
}

async function readPublications(
  session: Session,
  { oid, schema }: NonNullable<CatalogFacts['table']>,
): Promise<readonly Publication[]> {
  const { published, publishesAll } = await readReplication(session)
  if (published.length === 0 && publishesAll.length === 0) return []
  const { labels, hasSchemas } = await session.ask<{
    readonly labels: readonly string[]
    readonly hasSchemas: boolean
  }>(
    `select json_build_object(
      -- a publication of a partitioned table lists its partitions
      'labels', (
        select json_agg(format('%I.%I', n.nspname, c.relname))
        from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.oid in (select ${oid} union all select relid from pg_catalog.pg_partition_tree(${oid}::oid::regclass))
      ),
      'hasSchemas', to_regclass('pg_catalog.pg_publication_namespace') is not null
    ) as state`,
  )
  const ofSchema = hasSchemas
    ? await session.ask<readonly string[]>(`select coalesce(json_agg(p.pubname), '[]') as state
      from pg_catalog.pg_publication_namespace s join pg_catalog.pg_publication p on p.oid = s.pnpubid
      join pg_catalog.pg_namespace n on n.oid = s.pnnspid where n.nspname = ${literal(schema)}`)
    : []
  const names = published.filter(({ label }) => labels.includes(label)).flatMap((each) => each.names)
  return [...new Set(names)].map((name) => ({
    name,
    isForNewTables: publishesAll.includes(name) || ofSchema.includes(name),
  }))
}
