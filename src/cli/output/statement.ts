import { printable } from '../../core/printable.ts'

/** What was sent, and the place in it, counted in characters from 1. */
interface MarkedStatement {
  readonly statement?: string | undefined
  readonly position?: number | undefined
}

const MOST_LINES = 7

/** Returns a statement with a position marked. Of a long one, only the text around the position. */
export function showStatement({ statement = '', position }: MarkedStatement): string[] {
  const text = statement.trim()
  if (text === '') return []
  const lines = text.replaceAll('\t', ' ').split(/\r?\n/)
  // Counted in code points, as the server does, and without the text that was cut off before it.
  const offset = statement.length - statement.trimStart().length
  const before =
    position === undefined
      ? ''
      : Array.from(statement)
          .slice(offset, position - 1)
          .join('')
  const marked = position === undefined ? -1 : before.split('\n').length - 1
  const column = Array.from(printable(before.slice(before.lastIndexOf('\n') + 1).replaceAll('\t', ' '))).length
  const first = Math.max(0, marked - Math.floor(MOST_LINES / 2))
  const last = Math.min(lines.length, first + MOST_LINES)
  const shown = lines.slice(first, last).flatMap((line, index) => {
    const gutter = `${String(first + index + 1).padStart(String(last).length)} | `
    const numbered = `${gutter}${line}`.trimEnd()
    return first + index === marked ? [numbered, `${' '.repeat(gutter.length + column)}^`] : [numbered]
  })
  return [...(first > 0 ? ['…'] : []), ...shown, ...(last < lines.length ? ['…'] : [])]
}
