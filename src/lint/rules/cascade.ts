import { shown, type Problem, type Rule } from '../rule.ts'
import type { Drop } from '../statement.ts'

// Everything else can drop a column or an index with it: what it is part of, or what defines its type or its values. No
// table depends on these in PostgreSQL.
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

/** CASCADE drops objects that the statement does not name, and dropped embeddings are expensive to compute again. */
export const cascade: Rule = ({ statement: { drops }, tables }) => {
  if (!tables.mayHoldVectors()) return []
  return drops.filter(({ what, isCascade }) => isCascade && !takesNothing.has(what)).map(problemOf)
}

function problemOf({ what, names }: Drop): Problem {
  const list = names.map(shown).join(', ')
  if (what === 'rows') {
    return {
      message: `TRUNCATE ${list} CASCADE empties every table that references it, which can delete vectors of tables that it does not name`,
      next: 'Name all tables to empty, in one TRUNCATE without CASCADE. PostgreSQL then names the tables that reference them.',
    }
  }
  return {
    message: `DROP ${what.toUpperCase()} ${list} CASCADE drops everything that depends on it, which can include vector columns, or their indexes, that it does not name`,
    next: 'Drop each object in its own statement without CASCADE. PostgreSQL then names what depends on it.',
  }
}
