import { metrics } from '../pgvector/capabilities.ts'
import { tokensOf } from '../sql-text/tokens.ts'

const operators: readonly string[] = Object.values(metrics).map(({ operator }) => operator)

/** The distance operators in a query that names both a table and a column of it. */
export function operatorsIn(query: string, table: string, column: string): string[] {
  const tokens = Array.from(tokensOf(query)).filter(({ kind }) => kind !== 'blank')
  const names = new Set(
    tokens.map(({ kind, text }) => (kind === 'word' ? text.toLowerCase() : text.replaceAll('"', ''))),
  )
  if (!names.has(table) || !names.has(column)) return []
  const signs = tokens.map(({ kind, text }) => (kind === 'other' ? text : ' ')).join('')
  return operators.filter((operator) => signs.split(/[^-+*/<>=~!@#%^&|`?]+/).includes(operator))
}
