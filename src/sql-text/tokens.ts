import { endOfBlockComment, endOfDollarQuote, endOfName, endOfString } from './quotes.ts'

/** A piece of SQL that PostgreSQL's lexer reads as one. The pieces of a text, joined, are the text. */
export interface SqlToken {
  /** A `string` is a literal in any form of quotes, a `name` an identifier in quotes, a `word` anything without. */
  readonly kind: 'space' | 'comment' | 'string' | 'name' | 'parameter' | 'number' | 'word' | 'operator' | 'other'
  readonly text: string
  /** Where it begins in the text. */
  readonly start: number
}

// Each pattern matches a whole token or what opens a quote. No text matches one of them in two ways, so none
// backtracks. To PostgreSQL every character outside of ASCII can be part of an identifier, also what looks like a space.
const openings = {
  space: /[ \t\n\r\f\v]+/,
  comment: /--[^\n\r]*|\/\*/,
  string: /(?:[bBeExX]|[uU]&)?'|\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/,
  name: /(?:[uU]&)?"/,
  parameter: /\$[0-9]+/,
  number:
    /0[xX](?:_?[0-9A-Fa-f])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|(?:[0-9]+(?:_[0-9]+)*(?:\.(?!\.)(?:[0-9]+(?:_[0-9]+)*)?)?|\.[0-9]+(?:_[0-9]+)*)(?:[eE][+-]?[0-9]+(?:_[0-9]+)*)?/,
  word: /[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/,
  operator: /(?:(?!--|\/\*)[~!@#^&|`?+\-*/%<>=])+/,
  other: /::|\.\.|:=|[^]/,
} as const satisfies Record<SqlToken['kind'], RegExp>

const kinds = Object.keys(openings) as readonly SqlToken['kind'][]
export const OPENING = new RegExp(
  Object.values(openings)
    .map(({ source }) => `(${source})`)
    .join('|'),
  'y',
)

/**
 * Reads SQL as PostgreSQL's lexer does (scan.l of PostgreSQL 18), in time linear in its length. A quote or comment that
 * is not closed extends to the end of the text.
 */
export function* tokensOf(sql: string, from = 0): Generator<SqlToken> {
  for (let start = from; start < sql.length;) {
    OPENING.lastIndex = start
    const [opening = '', ...found] = OPENING.exec(sql) ?? []
    const kind = kinds.find((_, place) => found[place] !== undefined) ?? 'other'
    for (const end of endsOf(sql, kind, opening, start + opening.length)) {
      yield { kind, text: sql.slice(start, end), start }
      start = end
    }
  }
}

/** The tokens of a text that are neither space nor comment. */
export function* significantTokens(sql: string): Generator<SqlToken> {
  for (const token of tokensOf(sql)) if (token.kind !== 'space' && token.kind !== 'comment') yield token
}

function endsOf(sql: string, kind: SqlToken['kind'], opening: string, from: number): readonly number[] {
  if (kind === 'comment' && opening === '/*') return [endOfBlockComment(sql, from)]
  if (kind === 'name') return [endOfName(sql, from)]
  if (kind === 'operator') return operatorEnds(opening, from - opening.length)
  if (kind !== 'string') return [from]
  return [opening.startsWith('$') ? endOfDollarQuote(sql, opening, from) : endOfString(sql, opening, from)]
}

// A plus or minus at the end belongs to an operator only where standard SQL has no operator like it: =- is two, @- one.
function operatorEnds(operator: string, start: number): readonly number[] {
  const whole = /[~!@#^&|`?%]/.test(operator) ? operator : operator.replace(/(?<=^[+-]|[^+-])[+-]+$/, '')
  const single = Array.from({ length: operator.length - whole.length }, (_, index) => index + 1)
  return [start + whole.length, ...single.map((length) => start + whole.length + length)]
}
