import { shown, type Problem, type Rule } from '../rule.ts'
import type { Drop } from '../statement.ts'

// All else can take a column or an index with it: what it is a part of, what its type or its values are made by. On
// these, PostgreSQL has nothing of a table depend.
const takesNothing = new Set([
  'conversion',
  'event trigger',
  'index',
  'policy',
  'publication',
  'rule',
  'statistics',
  'trigger',
])

/** CASCADE drops what nobody named; embeddings that go with it are dear to compute again. */
export const cascade: Rule = ({ statement: { drops }, tables }) => {
  if (!tables.mayHoldVectors()) return []
  return drops.filter(({ what, isCascade }) => isCascade && !takesNothing.has(what)).map(problemOf)
}

function problemOf({ what, names }: Drop): Problem {
  const list = names.map(shown).join(', ')
  if (what === 'rows') {
    return {
      message: `TRUNCATE ${list} CASCADE empties every table that refers to it, and so may take vectors of tables that it does not name`,
      next: 'Name all that is to be emptied, in one TRUNCATE without CASCADE: PostgreSQL then says which tables refer to it.',
    }
  }
  return {
    message: `DROP ${what.toUpperCase()} ${list} CASCADE drops all that depends on it, and so may take columns of vectors, or their indexes, that it does not name`,
    next: 'Name what is to go, each in a statement of its own without CASCADE: PostgreSQL then says what stands in the way.',
  }
}
