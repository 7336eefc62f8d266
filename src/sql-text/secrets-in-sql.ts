import { identifierOf } from './names.ts'
import { endOfSecret } from './secrets-in-text.ts'
import { stringText, withoutUnicode, withStringText } from './string-text.ts'
import { tokensOf, type SqlToken } from './tokens.ts'

/** Replaces a secret. */
export const HIDDEN = '***'

/** What is known, at a token, about the secret that may follow. */
interface Expected {
  /** The sign between the word password and the secret; empty if there has been none yet. */
  readonly sign: string
  /** Whether the word was a string, such as the name of a setting or the key of an object. */
  readonly isArgument: boolean
}

/** The assignment signs that may separate the word password from the secret. */
const signs: ReadonlySet<string> = new Set(['=', ':', ':=', '=>', 'to', '||'])

/**
 * Hides the literals that follow the word password, whatever their quotes and whatever comments come between. A literal
 * that can itself contain a password, such as a function body or a connection string, is passed to `inner`.
 */
export function hideInSql(sql: string, inner: (text: string) => string): string {
  let shown = ''
  let expected: Expected | null = null
  // Set inside the arguments of a format that has a placeholder for a password.
  let hidesAll = false
  let tokens = tokensOf(sql)
  for (let { value: token } = tokens.next(); token !== undefined; { value: token } = tokens.next()) {
    const { kind, text, start } = token
    const end = start + text.length
    if (kind === 'space' || kind === 'comment' || (expected !== null && isPrefix(token, sql))) {
      shown += text
    } else if (kind === 'string' && isEscapeCharacter(sql, start, text)) {
      shown += text
    } else if (hidesAll && kind === 'string') {
      shown += HIDDEN
    } else if (expected !== null && isSecret(token, expected.sign)) {
      const endOfAll = Math.max(end, endOfSecret(sql, start, expected.sign))
      if (endOfAll > end) tokens = tokensOf(sql, endOfAll)
      shown += HIDDEN
      expected = null
    } else {
      expected = isPassword(token) ? { sign: '', isArgument: kind === 'string' } : next(expected, token)
      hidesAll = hidesAll && text !== ')' && text !== ';'
      if (kind === 'string') {
        const held = stringText(text) ?? ''
        if (OPEN_ASSIGNMENT.test(held)) expected = { sign: '=', isArgument: true }
        hidesAll ||= OPEN_FORMAT.test(held)
        shown += hideInLiteral(text, held, inner)
      } else shown += text
    }
  }
  return shown
}

const OPEN_ASSIGNMENT = /password[ \t]*=[ \t]*['"]?$/i
const OPEN_FORMAT = /password[ \t]*(?:(?:=>?|:)[ \t]*)?['"]?%/i

// N'' is a literal too, and UESCAPE belongs to the name before it.
function isPrefix({ kind, text, start }: SqlToken, sql: string): boolean {
  if (kind !== 'word') return false
  return /^uescape$/i.test(text) || (/^n$/i.test(text) && sql.charAt(start + 1) === "'")
}

// In 'password' uescape '!', the last literal defines how the name before it is escaped.
function isEscapeCharacter(sql: string, start: number, text: string): boolean {
  return text.length === 3 && /\buescape[ \t\r\n]{0,9}$/i.test(sql.slice(Math.max(0, start - 16), start))
}

function next(expected: Expected | null, { kind, text }: SqlToken): Expected | null {
  if (expected === null) return null
  const { sign, isArgument } = expected
  const word = text.toLowerCase()
  if (sign === '' && (signs.has(word) || (isArgument && text === ','))) return { sign: word, isArgument }
  // The secret may be a named argument: 'app.password', new_value => 'secret'.
  if (sign === ',' && kind === 'word') return expected
  if (sign === ',' && (text === '=>' || text === ':=')) return { sign: text, isArgument }
  return sign === '=' && text === '||' ? expected : null
}

function isSecret({ kind }: SqlToken, sign: string): boolean {
  return kind === 'string' || (kind === 'name' && !['', ',', 'to', '||'].includes(sign))
}

const SETTING = /^(?:[\w.]*[._])?passw(?:or)?d$/i
const NAME = /passw(?:or)?d$/i

function isPassword(token: SqlToken): boolean {
  if (token.kind === 'string') return SETTING.test(stringText(token.text) ?? '')
  if (token.kind === 'word') return NAME.test(token.text)
  return token.kind === 'name' && (NAME.test(identifierOf(token)) || NAME.test(withAnyEscape(token)))
}

// UESCAPE comes after the name, so almost any character can begin an escape.
function withAnyEscape({ text }: SqlToken): string {
  return /^u&/i.test(text) ? withoutUnicode(text.slice(3, -1).replaceAll(/[^0-9A-Za-z+\\]/g, '\\')) : ''
}

function hideInLiteral(literal: string, held: string, inner: (text: string) => string): string {
  const hidden = inner(held)
  return hidden === held ? literal : withStringText(literal, hidden)
}
