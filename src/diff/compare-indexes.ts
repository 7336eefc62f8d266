import type { FoundColumn } from '../columns/read-columns.ts'
import { identifier } from '../core/sql.ts'
import type { Session } from '../database/session.ts'
import { isEqual } from '../indexes/decide/equal.ts'
import { readExistingIndexes, type FoundIndexes } from '../indexes/look/existing-indexes.ts'
import type { ExistingIndex } from '../indexes/look/facts.ts'
import { sameConditions } from '../indexes/look/same-conditions.ts'
import { isNameOfTenantIndex } from '../indexes/tenants/rule.ts'
import { indexDefinition, type VectorIndex } from '../indexes/vector-index.ts'
import type { VectorDifference } from './difference.ts'

/** A declared index, and its table; null if there is none. */
interface PlacedIndex {
  readonly index: VectorIndex
  readonly table: FoundColumn['table']
  /** Whether only the indexes of single tenants are declared by it. */
  readonly isOfTenants?: boolean
}

interface ComparedIndexes {
  readonly differences: readonly VectorDifference[]
  /** The OIDs of the indexes that were declared. */
  readonly found: readonly number[]
}

/** Compares declared indexes with those of their tables. */
export async function compareIndexes(
  session: Session,
  placed: readonly PlacedIndex[],
  extensionSchema: string,
): Promise<ComparedIndexes> {
  const onTables = placed.flatMap(({ index, table }) => (table === null ? [] : [{ index, table }]))
  const wanted = onTables.map(({ index, table }) => ({ table: table.oid, column: index.column.name, name: index.name }))
  const answers = await readExistingIndexes(session, wanted)
  const found = new Map<VectorIndex, FoundIndexes>()
  for (const [place, { index }] of onTables.entries()) {
    const answer = answers[place]
    if (answer !== undefined) found.set(index, answer)
  }
  const differences: VectorDifference[] = []
  const oids: number[] = []
  for (const { index, table, isOfTenants = false } of placed) {
    const facts = found.get(index) ?? { column: null, indexes: [] }
    oids.push(...facts.indexes.filter((existing) => isOfTenant(existing, index, facts)).map(({ oid }) => oid))
    if (isOfTenants) continue
    const conditions = await sameConditions(session, index, { table, indexes: facts.indexes })
    const equal = facts.indexes.filter((existing) => isEqual(existing, index, { ...facts, sameConditions: conditions }))
    const namesake = facts.indexes.find((existing) => existing.name === index.name)
    oids.push(...(equal.length > 0 ? equal : namesake === undefined ? [] : [namesake]).map(({ oid }) => oid))
    if (equal.some(({ isValid }) => isValid)) continue
    differences.push(
      equal.length > 0
        ? { kind: 'index invalid', name: index.name, index }
        : differenceFrom(index, namesake?.definition, extensionSchema),
    )
  }
  return { differences, found: oids }
}

/** Whether an index is like a declared one, except that a rule has built it for one tenant. */
function isOfTenant(existing: ExistingIndex, index: VectorIndex, { column }: FoundIndexes): boolean {
  if (existing.condition === null || !isNameOfTenantIndex(index, existing.name)) return false
  const { lists: _, ...parameters } = index.parameters
  const whole = { ...index, where: null, parameters }
  return isEqual({ ...existing, condition: null }, whole, { column, sameConditions: null })
}

function differenceFrom(index: VectorIndex, existing: string | undefined, extensionSchema: string): VectorDifference {
  const { name } = index
  if (existing === undefined) return { kind: 'index missing', name, index }
  const wanted = `CREATE INDEX ${identifier(name)} ${indexDefinition(index, extensionSchema)}`
  return { kind: 'index differs', name, existing, wanted }
}
