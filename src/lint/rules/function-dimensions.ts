import { identifierOf } from '../../sql-text/names.ts'
import { significantTokens } from '../../sql-text/tokens.ts'
import { hasDistance } from '../operators-in.ts'
import { isSearched, shown, type Rule } from '../rule.ts'
import type { Table } from '../known-table.ts'

/** PostgreSQL ignores the length of a parameter's type, so that only a call shows that no comparison is possible. */
export const functionDimensions: Rule = ({ statement: { routine }, tables }) => {
  if (routine === null || !hasDistance(routine.body)) return []
  const names = new Set(Array.from(significantTokens(routine.body), identifierOf))
  // It compares a part of each vector.
  if (names.has('subvector')) return []
  const columns = tables.known().flatMap((table) => comparedIn(names, table))
  return routine.parameters.flatMap(({ name, type }, place) => {
    const dimensions = type?.dimensions ?? null
    if (!isSearched(type) || dimensions === null || columns.length === 0) return []
    if (!names.has(name) && !names.has(`$${place + 1}`)) return []
    if (columns.some((column) => column.dimensions === dimensions || column.dimensions === null)) return []
    const [column] = columns
    return [
      {
        message: `the function ${shown(routine.name)} takes ${name === '' ? `$${place + 1}` : name} with ${dimensions} dimensions, and ${column?.name} has ${column?.dimensions}: every call fails`,
        next: `Declare the parameter as ${column?.type}(${column?.dimensions}), and pass vectors of the model that the column holds.`,
      },
    ]
  })
}

interface Compared {
  readonly name: string
  readonly type: string
  readonly dimensions: number | null
}

function comparedIn(names: ReadonlySet<string>, table: Table): Compared[] {
  if (!names.has(table.name)) return []
  return [...table.columns].flatMap(([column, type]) =>
    type !== null && isSearched(type) && names.has(column)
      ? [{ name: `${table.name}.${column}`, type: type.type, dimensions: type.dimensions }]
      : [],
  )
}
