/** A piece of SQL that PostgreSQL's lexer would take as one: the pieces of a text, joined, are the text. */
export interface SqlToken {
  readonly kind: 'blank' | 'quoted' | 'parameter' | 'word' | 'other'
  readonly text: string
  /** Where it begins in the text. */
  readonly start: number
}

// What opens a token; those without an end of their own are whole already. A word that stands before a quote is another
// token, as in date'2026-01-01', and only E belongs to the quote.
const OPENING =
  /(?<blank>\s+|--[^\n\r]*|\/\*)|(?<quoted>e?'|"|\$(?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)|(?<parameter>\$\d+)|(?<word>[a-z_\u0080-\uffff][\w$\u0080-\uffff]*)|[^]/iy

/** Reads SQL as far as is needed to tell quotes, comments and words apart. */
export function* tokensOf(sql: string): Generator<SqlToken> {
  for (let start = 0; start < sql.length;) {
    OPENING.lastIndex = start
    const [opening = '', ...groups] = OPENING.exec(sql) ?? []
    const kinds = ['blank', 'quoted', 'parameter', 'word'] as const
    const kind = kinds.find((_name, index) => groups[index] !== undefined) ?? 'other'
    const end = endOf(sql, opening, start + opening.length)
    yield { kind, text: sql.slice(start, end), start }
    start = end
  }
}

function endOf(sql: string, opening: string, from: number): number {
  switch (opening.toLowerCase()) {
    case '/*':
      return endOfComment(sql, from)
    case "'":
      return endAt(sql, from, /''|(?<end>')/g)
    case "e'":
      return endAt(sql, from, /\\[^]|''|(?<end>')/g)
    case '"':
      return endAt(sql, from, /""|(?<end>")/g)
    default:
      return opening.startsWith('$') && opening.endsWith('$') ? endOfDollarQuote(sql, opening, from) : from
  }
}

function endAt(sql: string, from: number, closing: RegExp): number {
  closing.lastIndex = from
  for (let found = closing.exec(sql); found !== null; found = closing.exec(sql)) {
    if (found.groups?.['end'] !== undefined) return closing.lastIndex
  }
  return sql.length
}

function endOfDollarQuote(sql: string, tag: string, from: number): number {
  const end = sql.indexOf(tag, from)
  return end === -1 ? sql.length : end + tag.length
}

// Comments nest in PostgreSQL.
function endOfComment(sql: string, from: number): number {
  const mark = /\/\*|\*\//g
  mark.lastIndex = from
  let depth = 1
  for (let found = mark.exec(sql); found !== null; found = mark.exec(sql)) {
    depth += found[0] === '/*' ? 1 : -1
    if (depth === 0) return mark.lastIndex
  }
  return sql.length
}
