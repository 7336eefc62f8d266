import { endOfBlockComment, endOfDollarQuote, endOfName, endOfString } from './quotes.ts'

/** A piece of SQL that PostgreSQL's lexer reads as one token. The tokens of a text, joined, are the text. */
export interface SqlToken {
  /** A `string` is a literal in any form of quotes, a `name` a quoted identifier, and a `word` an unquoted one. */
  readonly kind: 'space' | 'comment' | 'string' | 'name' | 'parameter' | 'number' | 'word' | 'operator' | 'other'
  readonly text: string
  /** Where the token begins in the text. */
  readonly start: number
}

// Each pattern matches a whole token or the opening of a quote. No text matches a pattern in two ways, so none
// backtracks. PostgreSQL accepts every non-ASCII character in an identifier, even one that looks like a space.
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
 * Reads SQL as PostgreSQL's lexer does (scan.l of PostgreSQL 18), in time linear in its length. An unclosed quote or
 * comment extends to the end of the text.
 */
export function* tokensOf(sql: string, from = 0): Generator<SqlToken> {
  for (let start = from; start < sql.length;) {
    OPENING.lastIndex = start
    const found = OPENING.exec(sql)
    const opening = found?.[0] ?? ''
    const kind = kinds.find((_, place) => found?.[place + 1] !== undefined) ?? 'other'
    for (const end of endsOf(sql, kind, opening, start + opening.length)) {
      yield { kind, text: sql.slice(start, end), start }
      start = end
    }
  }
}

/** Returns the tokens of a text that are neither whitespace nor comments. */
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

// A trailing plus or minus belongs to an operator only if the operator is not one of standard SQL: =- is two operators,
// @- is one.
function operatorEnds(operator: string, start: number): readonly number[] {
  const whole = /[~!@#^&|`?%]/.test(operator) ? operator : operator.replace(/(?<=^[+-]|[^+-])[+-]+$/, '')
  const single = Array.from({ length: operator.length - whole.length }, (_, index) => index + 1)
  return [start + whole.length, ...single.map((length) => start + whole.length + length)]
}
