import type { Session } from '../../database/session.ts'
import { identifier, literal, qualified } from '../../core/sql.ts'
import { stringText } from '../../sql-text/string-text.ts'
import { tokensOf } from '../../sql-text/tokens.ts'
import { bare } from '../decide/equal.ts'
import type { CatalogFacts, TableFacts } from './facts.ts'
import { normaliseCondition } from './normalise-condition.ts'
import { explainedPlan, onlyValue } from '../../database/explain.ts'
import { conditionSql, type VectorIndex } from '../vector-index.ts'

interface ComparedTable extends Pick<CatalogFacts, 'indexes'> {
  readonly table: Pick<TableFacts, 'schema' | 'name'> | null
}

/**
 * Returns the OIDs of the existing partial indexes that have the condition of the requested one.
 *
 * Only the server knows that `a=1` and `(a = 1)` are the same condition. It explains them in one statement, over no
 * rows of the table's type, which needs no privilege on the table and writes nothing. Null if there is nothing to
 * compare with, or the server does not accept one of them.
 */
export async function sameConditions(
  session: Session,
  index: VectorIndex,
  { table, indexes }: ComparedTable,
): Promise<readonly number[] | null> {
  const { where } = index
  const wanted = conditionSql(index)
  const others = indexes.flatMap(({ oid, condition }) => {
    const sql = condition === null ? null : conditionSql({ where: sendable(condition) })
    return condition === null || sql === null ? [] : [{ oid, condition, sql }]
  })
  if (where === null || wanted === null || table === null || others.length === 0) return null
  const conditions = [wanted, ...others.map(({ sql }) => sql)]
  try {
    const [, answer] = await session.inRolledBackTransaction([
      // With fewer digits, two different numbers may look the same.
      'set local extra_float_digits = 1',
      `explain (verbose, costs off, format json) select ${conditions.join(', ')}
        from pg_catalog.unnest('{}'::${qualified(table.schema, table.name)}[]) as ${identifier(table.name)}`,
    ])
    const [first, ...explained] = explainedPlan(onlyValue(answer)).Output ?? []
    if (first === undefined || explained.length !== others.length) return null
    const alike = others.filter((_, place) => explained[place] === first)
    if (![where, ...alike.map(({ condition }) => condition)].some(hasCollation)) return alike.map(({ oid }) => oid)
    // A plan shows an expression without COLLATE.
    const normalised = await normaliseCondition(session, wanted, table)
    return alike
      .filter(({ condition }) => (normalised === null ? bare(condition) === bare(where) : condition === normalised))
      .map(({ oid }) => oid)
  } catch {
    return null
  }
}

function hasCollation(condition: string): boolean {
  return /\bcollate\b/i.test(condition)
}

// Knex's raw API cannot send a backslash before a question mark, which only a text in quotes can contain.
function sendable(condition: string): string {
  if (!condition.includes('\\?')) return condition
  const pieces = Array.from(tokensOf(condition), ({ kind, text }) => {
    const value = kind === 'string' ? stringText(text) : null
    return value === null ? text : literal(value)
  })
  return pieces.join('')
}
