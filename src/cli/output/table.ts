import { stripVTControlCharacters } from 'node:util'

import Table from 'cli-table3'

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

/**
 * A table for people: with lines on a terminal, else in plain columns that other tools can cut. Where a terminal is too
 * narrow for it, each row is a block of its own.
 */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const isTerminal = process.stdout.isTTY
  const style = { head: [], border: [], compact: true }
  const built = new Table({
    head: [...head],
    ...(isTerminal ? { style } : { chars: NO_LINES, style: { ...style, 'padding-left': 0, 'padding-right': 0 } }),
  })
  built.push(...rows.map((row) => [...row]))
  const lines = built.toString().split('\n')
  const width = Math.max(...lines.map((line) => stripVTControlCharacters(line).length))
  if (isTerminal && width > (process.stdout.columns ?? width)) return rows.map((row) => block(head, row)).join('\n\n')
  return lines.map((line) => line.trimEnd()).join('\n')
}

function block(head: readonly string[], row: readonly string[]): string {
  const widest = Math.max(...head.map(({ length }) => length))
  const cells = head.map((title, index) => [title.padEnd(widest), row[index] ?? ''] as const)
  return cells
    .filter(([, text]) => text !== '')
    .map(([title, text]) => `${title}  ${text}`)
    .join('\n')
}
