import { shown, type Rule } from '../rule.ts'

// What a column can go with: the type that it has, the table that it is in, or what it is computed from.
const takesColumns = new Set([
  'column',
  'domain',
  'extension',
  'foreign table',
  'function',
  'materialized view',
  'owned by',
  'schema',
  'table',
  'type',
  'view',
])

/** CASCADE drops what nobody named; embeddings that go with it are dear to compute again. */
export const cascade: Rule = ({ statement: { drops }, tables }) => {
  if (!tables.mayHoldVectors()) return []
  return drops
    .filter(({ what, isCascade }) => isCascade && takesColumns.has(what))
    .map(({ what, names }) => ({
      message: `DROP ${what.toUpperCase()} ${names.map(shown).join(', ')} CASCADE drops all that depends on it, and so may take columns of vectors that it does not name`,
      next: 'Name what is to go, each in a statement of its own without CASCADE: PostgreSQL then says what stands in the way.',
    }))
}
