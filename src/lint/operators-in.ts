import { metrics } from '../pgvector/index-methods.ts'
import { identifierOf } from '../sql-text/names.ts'
import { significantTokens } from '../sql-text/tokens.ts'

const operators: readonly string[] = Object.values(metrics).map(({ operator }) => operator)

/** Whether a query compares vectors. */
export function hasDistance(query: string): boolean {
  return Array.from(significantTokens(query)).some(({ kind, text }) => kind === 'operator' && operators.includes(text))
}

/** Returns the distance operators in a query that names both a table and a column of it. */
export function operatorsIn(query: string, table: string, column: string): string[] {
  const tokens = Array.from(significantTokens(query))
  const names = new Set(tokens.map(identifierOf))
  if (!names.has(table) || !names.has(column)) return []
  return operators.filter((operator) => tokens.some(({ kind, text }) => kind === 'operator' && text === operator))
}
