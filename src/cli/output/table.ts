import { stripVTControlCharacters } from 'node:util'

import Table from 'cli-table3'

import { escapeAllButColours } from './colour.ts'
import { wrap } from './wrap.ts'

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
 * Formats a table: with borders on a terminal, else in plain columns that other tools can cut. On a narrow terminal the
 * borders are omitted first, and then the widest columns are wrapped. If that is not enough, each row becomes a block. A
 * cell may have several lines; columns in `whole` are not wrapped.
 */
export function table(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  whole: readonly string[] = [],
): string[] {
  const cells = rows.map((row) => row.map(linesOf))
  const width = process.stdout.isTTY ? (process.stdout.columns ?? Infinity) : null
  if (width === null) return built(head, cells, false)
  const lined = built(head, cells, true)
  if (widthOf(lined) <= width) return lined
  const widths = columnWidths(head, cells, width, whole)
  if (widths === null) return cells.flatMap((row, index) => [...(index === 0 ? [] : ['']), ...block(head, row)])
  const fitting = cells.map((row) =>
    row.map((lines, index) => lines.flatMap((line) => wrapped(line, widths[index] ?? 0))),
  )
  return built(head, fitting, false)
}

type Lined = readonly string[]

function built(head: readonly string[], cells: readonly (readonly Lined[])[], isLined: boolean): string[] {
  const style = { head: [], border: [], compact: true }
  const drawn = new Table({
    head: [...head],
    ...(isLined ? { style } : { chars: NO_LINES, style: { ...style, 'padding-left': 0, 'padding-right': 0 } }),
  })
  drawn.push(...cells.map((row) => row.map((lines) => lines.join('\n'))))
  return drawn
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
}

const GAP = NO_LINES.middle.length

// A narrower column is hard to read.
const NARROWEST = 10

/** Returns the widths at which all columns fit, or null if there are none. A coloured cell is not wrapped. */
function columnWidths(
  head: readonly string[],
  cells: readonly (readonly Lined[])[],
  width: number,
  whole: readonly string[],
): readonly number[] | null {
  const widths = head.map((title, index) => widthOf([title, ...cells.flatMap((row) => row[index] ?? [])]))
  const least = head.map((title, index) =>
    whole.includes(title)
      ? (widths[index] ?? 0)
      : Math.max(title.length, NARROWEST, widthOf(cells.flatMap((row) => (row[index] ?? []).filter(isColoured)))),
  )
  const total = (): number => widths.reduce((sum, each) => sum + each, GAP * (widths.length - 1))
  while (total() > width) {
    const spare = widths.map((each, index) => (each > (least[index] ?? 0) ? each : 0))
    const widest = Math.max(...spare)
    if (widest === 0) return null
    widths[spare.indexOf(widest)] = widest - 1
  }
  return widths
}

// Colour sequences must not be cut.
function wrapped(line: string, width: number): readonly string[] {
  return isColoured(line) ? [line] : wrap(line, width)
}

function isColoured(text: string): boolean {
  return stripVTControlCharacters(text) !== text
}

function widthOf(lines: readonly string[]): number {
  return Math.max(0, ...lines.map((line) => stripVTControlCharacters(line).length))
}

// Escaping changes widths, so it comes before measuring.
function linesOf(cell: Cell): string[] {
  return (typeof cell === 'string' ? [cell] : cell).map(escapeAllButColours)
}

function block(head: readonly string[], row: readonly Lined[]): string[] {
  const widest = Math.max(...head.map(({ length }) => length))
  return head
    .map((title, index) => [title.padEnd(widest), row[index] ?? []] as const)
    .filter(([, lines]) => lines.some((line) => line !== ''))
    .flatMap(([title, lines]) =>
      // A mark has no title, and is printed before the block.
      title.trim() === '' ? lines : lines.map((line, index) => `${index === 0 ? title : ' '.repeat(widest)}  ${line}`),
    )
}
