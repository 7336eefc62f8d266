import type { CatalogFacts, ExistingIndex } from '../look/facts.ts'
import { DEFAULT_M } from '../../pgvector/graph-memory.ts'
import { significantTokens } from '../../sql-text/tokens.ts'
import type { VectorIndex } from '../vector-index.ts'

/** The facts that a comparison needs. */
export interface ComparedFacts extends Pick<CatalogFacts, 'sameConditions'> {
  readonly column: { readonly quoted: string } | null
}

/** Whether an existing index has the requested definition. Its name and validity do not matter. */
export function isEqual(existing: ExistingIndex, wanted: VectorIndex, facts: ComparedFacts): boolean {
  return (
    existing.method === wanted.method &&
    existing.columns === 1 &&
    existing.isKnownClass &&
    existing.operatorClass === wanted.storage.operatorClass.name &&
    bare(existing.key) === bare(keyOf(wanted, facts)) &&
    isSameCondition(existing, wanted.where, facts.sameConditions) &&
    hasSameParameters(existing.options, wanted)
  )
}

function keyOf({ column, storage }: VectorIndex, facts: ComparedFacts): string {
  const name = facts.column?.quoted ?? ''
  switch (storage.expression) {
    case 'column':
      return name
    case 'cast':
      return `${name}::halfvec(${column.dimensions})`
    case 'binary quantization':
      return `binary_quantize(${name})::bit(${column.dimensions})`
  }
}

/** Removes the parentheses and spaces that PostgreSQL adds, which vary by release. It adds none within quotes. */
export function bare(text: string): string {
  const pieces = Array.from(significantTokens(text), (token) => token.text)
  return pieces.filter((piece) => piece !== '(' && piece !== ')').join('')
}

function isSameCondition(
  { oid, condition }: ExistingIndex,
  wanted: string | null,
  same: CatalogFacts['sameConditions'],
): boolean {
  if (condition === null || wanted === null) return condition === wanted
  return same === null ? bare(condition) === bare(wanted) : same.includes(oid)
}

const DEFAULT_EF_CONSTRUCTION = 64

function hasSameParameters(options: readonly string[], { method, parameters }: VectorIndex): boolean {
  const given = new Map(
    options.map((option) => {
      const [name = '', value = ''] = option.split('=')
      return [name, Number(value)]
    }),
  )
  // The default number of lists depends on the number of rows when the index was built.
  if (method === 'ivfflat') return parameters.lists === undefined || given.get('lists') === parameters.lists
  return (
    (given.get('m') ?? DEFAULT_M) === (parameters.m ?? DEFAULT_M) &&
    (given.get('ef_construction') ?? DEFAULT_EF_CONSTRUCTION) === (parameters.efConstruction ?? DEFAULT_EF_CONSTRUCTION)
  )
}
