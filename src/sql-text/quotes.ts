/**
 * Returns where a string ends whose opening quote ends at `from`. An unclosed string extends to the end of the text.
 */
export function endOfString(sql: string, opening: string, from: number): number {
  return segmentsOf(sql, opening, from).at(-1)?.end ?? from
}

/** A part of a string between two quotes. A string that continues on a later line has several parts. */
export interface Segment {
  readonly from: number
  /** The position after its closing quote. */
  readonly end: number
}

/** Returns the segments of a string whose opening quote ends at `from`. */
export function segmentsOf(sql: string, opening: string, from: number): Segment[] {
  const segments: Segment[] = []
  const ending = endingOf(opening.charAt(0).toLowerCase())
  for (let next: number | null = from; next !== null;) {
    const end = ending(sql, next)
    segments.push({ from: next, end })
    next = continuationAt(sql, end)
  }
  return segments
}

/** Returns where a double-quoted name ends. */
export function endOfName(sql: string, from: number): number {
  return endOfQuoted(sql, from, '"')
}

/** Returns where a dollar quote with that tag ends. */
export function endOfDollarQuote(sql: string, tag: string, from: number): number {
  const end = sql.indexOf(tag, from)
  return end === -1 ? sql.length : end + tag.length
}

/** Returns where a block comment ends. In PostgreSQL, block comments nest. */
export function endOfBlockComment(sql: string, from: number): number {
  const mark = /\/\*|\*\//g
  mark.lastIndex = from
  let depth = 1
  for (let found = mark.exec(sql); found !== null; found = mark.exec(sql)) {
    depth += found[0] === '/*' ? 1 : -1
    if (depth === 0) return mark.lastIndex
  }
  return sql.length
}

function endingOf(letter: string): (sql: string, from: number) => number {
  if (letter === 'e') return endOfEscaped
  return letter === 'b' || letter === 'x' ? endOfBits : (sql, from) => endOfQuoted(sql, from, "'")
}

function endOfBits(sql: string, from: number): number {
  const end = sql.indexOf("'", from)
  return end === -1 ? sql.length : end + 1
}

// A doubled quote stands for one quote in the text.
function endOfQuoted(sql: string, from: number, quote: string): number {
  for (let end = sql.indexOf(quote, from); end !== -1; end = sql.indexOf(quote, end + 2)) {
    if (sql.charAt(end + 1) !== quote) return end + 1
  }
  return sql.length
}

function endOfEscaped(sql: string, from: number): number {
  const mark = /\\[^]|''|'/g
  mark.lastIndex = from
  for (let found = mark.exec(sql); found !== null; found = mark.exec(sql)) if (found[0] === "'") return mark.lastIndex
  return sql.length
}

// PostgreSQL joins two literals that are separated only by whitespace with a newline in it. A line comment counts as
// whitespace.
function continuationAt(sql: string, from: number): number | null {
  const piece = /[ \t\f\v]+|(?<newline>[\n\r]+)|--[^\n\r]*|(?<quote>')|/y
  let hasNewline = false
  for (let end = from; ;) {
    piece.lastIndex = end
    const { 0: text = '', groups = {} } = piece.exec(sql) ?? {}
    end += text.length
    if (groups['quote'] !== undefined) return hasNewline ? end : null
    if (text === '') return null
    hasNewline ||= groups['newline'] !== undefined
  }
}
