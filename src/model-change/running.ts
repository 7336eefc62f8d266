import { vectorColumn, type VectorColumn } from '../columns/column.ts'
import { identifier, literal, qualified } from '../core/sql.ts'
import { isObviouslyTrustedSql } from '../database/table-trust.ts'
import { type Database, type Session, sessionOf } from '../database/session.ts'
import type { Embedding } from '../embeddings/embedding.ts'
import { sideNames, sideTables } from '../embeddings/names.ts'
import { readSideFacts } from '../embeddings/side-facts.ts'
import { REGISTRY, type CatalogFacts } from './facts.ts'
import { declaredIndex, type StoredPair } from './pair.ts'
import { nextCommand, phaseOf, type Phase } from './phase.ts'
import { readRegistry, registryOf } from './registry.ts'
import { isValidIndex } from './valid-index.ts'

/** A change of model that was begun and is not contracted, as it is found without its declaration. */
export interface RunningChange {
  readonly schema: string
  readonly table: string
  readonly from: Pick<StoredPair, 'column' | 'model'>
  readonly to: Pick<StoredPair, 'column' | 'model'>
  /** Null if the table does not exist, as after it was renamed. */
  readonly phase: Phase | null
  readonly next: string | null
}

/** Reads all running changes, of the database or of one schema. Registries that another role controls are not read. */
export async function readRunningChanges(session: Session, only?: string | null): Promise<readonly RunningChange[]> {
  const schemas = await session.ask<readonly string[]>(`
    select coalesce(json_agg(n.nspname order by n.nspname), '[]') as state
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and c.relname = ${literal(REGISTRY)} and ${isObviouslyTrustedSql}
      and has_table_privilege(c.oid, 'select')`)
  const all: RunningChange[] = []
  const wanted = schemas.filter((schema) => only === undefined || only === null || schema === only)
  for (const schema of wanted) {
    const rows = await session.askAsCaller<readonly { table: string; from: StoredPair; to: StoredPair }[]>(
      `select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('table', r.table_name, 'from', r.source, 'to', r.target)
        order by r.table_name, r.column_name), '[]') as state from ${registryOf({ schema })} r where r.target is not null`,
    )
    for (const { table, from, to } of rows) {
      const found = await readRunningChange(session, vectorColumn(table, from.column, { schema }))
      all.push(found ?? { schema, table, from, to, phase: null, next: null })
    }
  }
  return all
}

/** Returns the running change of an embedding; null if there is none. */
export function runningChange(db: Database, { column }: Embedding): Promise<RunningChange | null> {
  return readRunningChange(sessionOf(db), column)
}

async function readRunningChange(session: Session, column: VectorColumn): Promise<RunningChange | null> {
  const { facts, row } = await readRegistry(session, column)
  const { table } = facts
  if (table === null || row === null || row.source === null || row.target === null) return null
  const { source, target } = row
  const { name, schema } = table
  const wanted = vectorColumn(name, target.column, { schema, type: target.type, dimensions: target.dimensions ?? 1 })
  const work = await readWork(session, facts, target.column)
  const phase = phaseOf({
    isBegun: true,
    isExpanded: work !== null,
    hasMissing: work?.hasMissing ?? true,
    hasStale: work?.hasStale ?? false,
    hasIndex: isValidIndex(facts, declaredIndex(wanted, target)),
    isCompared: row.compared !== null,
    isSwitched: row.active.column === target.column,
  })
  return { schema, table: name, from: source, to: target, phase, next: nextCommand(phase) }
}

/** Whether rows still need a vector; null if nothing keeps the column in step yet. */
async function readWork(
  session: Session,
  { table, columns }: CatalogFacts,
  column: string,
): Promise<{ readonly hasMissing: boolean; readonly hasStale: boolean } | null> {
  if (table === null || !columns.some(({ name }) => name === column)) return null
  const names = sideNames(table.name, column)
  const side = await readSideFacts(session, table, names)
  if (side.marks === null || side.claims === null || side.hash === null || side.trigger === null) return null
  if (side.distrusted.length > 0) return null
  const { marks, claims } = sideTables(table.schema, names)
  const givenUp = `(select pg_catalog.count(*) from ${claims} where due_at operator(pg_catalog.=) 'infinity')`
  const missing = `select from ${qualified(table.schema, table.name)} where ${identifier(column)} is null`
  // No more rows are looked at than it takes to find one that was not given up.
  return session.askAsCaller(`select pg_catalog.json_build_object(
    'hasMissing', (select pg_catalog.count(*) from (${missing} limit ${givenUp} operator(pg_catalog.+) 1) as m) operator(pg_catalog.>) ${givenUp},
    'hasStale', exists (select from ${marks})) as state`)
}
