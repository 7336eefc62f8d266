import { stripVTControlCharacters } from 'node:util'

import Table from 'cli-table3'

import { escapeAllButColours } from './colour.ts'

const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
} as const

type Cell = string | readonly string[]

/**
 * A table for people: with lines on a terminal, else in plain columns that other tools can cut. Where a terminal is too
 * narrow for it, each row is a block of its own. A cell may have several lines.
 */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string[] {
  const isTerminal = process.stdout.isTTY
  const style = { head: [], border: [], compact: true }
  const built = new Table({
    head: [...head],
    ...(isTerminal ? { style } : { chars: NO_LINES, style: { ...style, 'padding-left': 0, 'padding-right': 0 } }),
  })
  built.push(...rows.map((row) => row.map((cell) => linesOf(cell).join('\n'))))
  const lines = built.toString().split('\n')
  const width = Math.max(...lines.map((line) => stripVTControlCharacters(line).length))
  if (isTerminal && width > (process.stdout.columns ?? width))
    return rows.flatMap((row, index) => [...(index === 0 ? [] : ['']), ...block(head, row)])
  return lines.map((line) => line.trimEnd())
}

// What is escaped has another width, so it is done before the columns are measured.
function linesOf(cell: Cell): string[] {
  return (typeof cell === 'string' ? [cell] : cell).map(escapeAllButColours)
}

function block(head: readonly string[], row: readonly Cell[]): string[] {
  const widest = Math.max(...head.map(({ length }) => length))
  return head
    .map((title, index) => [title.padEnd(widest), linesOf(row[index] ?? '')] as const)
    .filter(([, lines]) => lines.some((line) => line !== ''))
    .flatMap(([title, lines]) => lines.map((line, index) => `${index === 0 ? title : ' '.repeat(widest)}  ${line}`))
}
