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

/** A table for people: with lines on a terminal, else in plain columns that other tools can cut. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const isTerminal = process.stdout.isTTY
  const style = { head: [], border: [], compact: true }
  const built = new Table({
    head: [...head],
    ...(isTerminal ? { style } : { chars: NO_LINES, style: { ...style, 'padding-left': 0, 'padding-right': 0 } }),
  })
  built.push(...rows.map((row) => [...row]))
  const lines = built.toString().split('\n')
  return lines.map((line) => line.trimEnd()).join('\n')
}
