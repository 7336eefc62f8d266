import { lackingRights } from '../../columns/table-rights.ts'
import { PgvectorMigrationError } from '../../core/errors.ts'
import { identifier, qualified } from '../../core/sql.ts'
import { tooOld } from '../../extension/too-old.ts'
import { isAtLeast } from '../../pgvector/version.ts'
import type { CatalogFacts, ExistingIndex, RunningBuild, TableFacts } from '../look/facts.ts'
import { indexDefinition, type VectorIndex } from '../vector-index.ts'
import { isEqual } from './equal.ts'

/** What to do if nothing is built now. */
export type WithoutBuild =
  | { readonly action: 'refuse'; readonly error: PgvectorMigrationError }
  /** An equal index exists and works, with this name or another one. */
  | { readonly action: 'keep'; readonly existing: ExistingIndex; readonly warnings: readonly string[] }
  /** Another session is building on this table. */
  | { readonly action: 'wait'; readonly builds: readonly RunningBuild[] }

/** The decision from the catalog alone. If a build is planned, the rows have to be examined. */
export type CatalogPlan =
  | WithoutBuild
  | { readonly action: 'look at rows'; readonly table: TableFacts; readonly equal: readonly ExistingIndex[] }

/** Decides as much as possible without reading the rows or the activity of the server. */
export function planFromCatalog(facts: CatalogFacts, index: VectorIndex): CatalogPlan {
  const { table } = facts
  const error = refusal(facts, index)
  if (error !== null || table === null) return refuse(error ?? notFound(index))
  const equal = facts.indexes.filter((existing) => isEqual(existing, index, facts))
  const kept = fitting(facts, equal).find(({ isValid }) => isValid)
  if (kept !== undefined) return keep(kept, index)
  // Checked before an index is reported as different, because its condition may not have been compared without the
  // privilege.
  const forbidden = lackingRights('CREATE INDEX', table)
  if (forbidden !== null) return refuse(forbidden)
  const different = facts.indexes.find((existing) => existing.name === index.name && !equal.includes(existing))
  const existing = different?.definition ?? facts.namesake
  if (existing !== null) return refuse(differs(index, facts, existing))
  if (facts.readOnly !== null) return refuse(new PgvectorMigrationError('READ_ONLY', facts.readOnly))
  if (facts.builds.length > 0 && !facts.isInTransaction) return { action: 'wait', builds: facts.builds }
  return { action: 'look at rows', table, equal }
}

/**
 * Returns the usable indexes. If the partitioned index already has a part here, only that part can be used. What cannot
 * be repaired now is ignored.
 */
export function fitting(
  { isInTransaction, readOnly }: CatalogFacts,
  equal: readonly ExistingIndex[],
): readonly ExistingIndex[] {
  const parts = equal.filter(({ parent }) => parent !== null)
  return parts.length === 0 || isInTransaction || readOnly !== null ? equal : parts
}

function keep(existing: ExistingIndex, { name }: VectorIndex): WithoutBuild {
  if (existing.name === name) return { action: 'keep', existing, warnings: [] }
  const warning = `An equal index with another name exists and was kept: ${identifier(existing.name)}.`
  return { action: 'keep', existing, warnings: [warning] }
}

/** Returns the reason not to attempt any build; null if there is none. */
function refusal(facts: CatalogFacts, index: VectorIndex): PgvectorMigrationError | null {
  const { extension, table, column } = facts
  const { column: wanted, storage } = index
  if (extension === null) {
    return new PgvectorMigrationError('PGVECTOR_NOT_ENABLED', { needed: `the index ${identifier(index.name)}` })
  }
  const { since } = storage.operatorClass
  if (!isAtLeast(extension.version, since)) return tooOld(extension.version, since, extension.available)
  if (table === null) return notFound(index)
  if (table.kind === 'foreign' || table.kind === 'other') {
    return failed(index, `${identifier(table.name)} is not a table that PostgreSQL can index`)
  }
  const name = `${identifier(table.name)}.${identifier(wanted.name)}`
  if (column === null) return new PgvectorMigrationError('RELATION_NOT_FOUND', { name, kind: 'column' })
  const type = `${wanted.type}(${wanted.dimensions})`
  if (column.type === type && column.isExtensionType === (wanted.type !== 'bit')) return null
  return new PgvectorMigrationError('COLUMN_DIFFERS', { column: name, existing: column.type, wanted: type })
}

export function refuse(error: PgvectorMigrationError): WithoutBuild {
  return { action: 'refuse', error }
}

function notFound({ column }: VectorIndex): PgvectorMigrationError {
  const name = column.schema === null ? identifier(column.table) : qualified(column.schema, column.table)
  return new PgvectorMigrationError('RELATION_NOT_FOUND', { name, kind: 'table' })
}

/** Returns the error for another index of the same name. */
export function differs(index: VectorIndex, { extension }: CatalogFacts, existing: string): PgvectorMigrationError {
  const definition = indexDefinition(index, extension?.schema ?? 'public')
  const wanted = `CREATE INDEX ${identifier(index.name)} ${definition}`
  return new PgvectorMigrationError('INDEX_DIFFERS', { index: identifier(index.name), existing, wanted })
}

/** Returns the error of a build that would fail. */
export function failed(index: VectorIndex, problem: string): PgvectorMigrationError {
  return new PgvectorMigrationError('INDEX_BUILD_FAILED', { index: identifier(index.name), problem })
}
