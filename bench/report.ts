import { median } from './measure.ts'

/** What two contenders took in the same rounds, and what their ratio should be. */
export interface Comparison {
  readonly what: string
  readonly milliseconds: readonly number[]
  readonly against: string
  readonly baseline: readonly number[]
  readonly target: Target
}

/** How much longer than the baseline it may take, how much faster it must be, or neither: for information. */
export type Target = { readonly atMost: number } | { readonly timesFaster: number } | null

const headings = ['', 'ms', 'against', 'ms', 'ratio', 'target', ''] as const
// Numbers are flush right, so that their points stand in a column.
const flushRight = new Set([1, 3, 4])

/** The comparisons of one database as a table. */
export function table(database: string, comparisons: readonly Comparison[]): string {
  const rows = [headings, ...comparisons.map(cells)]
  const widths = headings.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) =>
    row
      .map((cell, column) =>
        flushRight.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  )
  return `${[database, ...lines].join('\n')}\n\n`
}

function cells({ what, milliseconds, against, baseline, target }: Comparison): string[] {
  const isFaster = target !== null && 'timesFaster' in target
  // Of each round and not of the medians: a machine has slow moments, and one round is within one of them.
  const slower = median(baseline.map((time, round) => (milliseconds[round] ?? Number.NaN) / time))
  const ratio = isFaster ? 1 / slower : slower
  return [
    what,
    duration(median(milliseconds)),
    against,
    duration(median(baseline)),
    `${ratio.toFixed(2)}${isFaster ? ' times faster' : ''}`,
    ...verdict(target, ratio),
  ]
}

function verdict(target: Target, ratio: number): [string, string] {
  if (target === null) return ['', '']
  if ('timesFaster' in target) return [`at least ${target.timesFaster}`, ratio >= target.timesFaster ? 'met' : 'missed']
  return [`at most ${target.atMost}`, ratio <= target.atMost ? 'met' : 'missed']
}

function duration(milliseconds: number): string {
  return milliseconds.toFixed(milliseconds < 100 ? 3 : 0)
}
