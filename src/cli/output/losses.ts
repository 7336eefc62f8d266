import { red, yellow } from './colour.ts'

import type { Losses, LostTable } from '../../migrator/losses/losses.ts'
import { table } from './table.ts'
import { counted } from './counted.ts'

/** Describes what rolling back would delete. */
export function describeLosses({ migrations, tables, columns, warnings }: Losses): string[] {
  const columnsOf = (name: string): string[][] =>
    columns
      .filter((column) => column.table === name)
      .map((column) => [`${name}.${column.column}`, column.type, amount(column, 'value')])
  const staying = [...new Set(columns.map((column) => column.table))].filter(
    (name) => !tables.some((lost) => lost.table === name),
  )
  const rows = [
    ...tables.flatMap((lost) => [[lost.table, 'table', amount(lost, 'row')], ...columnsOf(lost.table)]),
    ...staying.flatMap(columnsOf),
  ]
  const isAllKnown = migrations.every(({ problem }) => problem === null)
  const nothing = isAllKnown ? 'No table and no column would be lost' : 'What would be lost is not known:'
  return [
    ...(rows.length === 0 ? [nothing] : [red('This would be lost:'), ...table(['What', 'Type', 'How much'], rows)]),
    ...warnings.map((warning) => `${yellow('⚠')} ${warning}`),
  ]
}

function amount({ rows, isEstimate }: Pick<LostTable, 'rows' | 'isEstimate'>, what: 'row' | 'value'): string {
  if (rows === null) return `an unknown number of ${what}s`
  return `${isEstimate ? '~' : ''}${counted(rows, what)}`
}
