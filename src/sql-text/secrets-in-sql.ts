import { identifierOf } from './names.ts'
import { endOfSecret } from './secrets-in-text.ts'
import { stringText, withStringText } from './string-text.ts'
import { tokensOf, type SqlToken } from './tokens.ts'

/** What takes the place of a secret. */
export const HIDDEN = '***'

/** The signs of assignment between the word password and the secret. */
const separators: ReadonlySet<string> = new Set(['=', ':', ':=', '=>'])

/**
 * Hides the literals that follow the word password, whatever their quotes and whatever comments stand between. Literals
 * that hold text with a password themselves, as the body of a function or a connection string, go through `inner`.
 */
export function hideInSql(sql: string, inner: (text: string) => string): string {
  let shown = ''
  let separator: string | null = null
  let isArgument = false
  let tokens = tokensOf(sql)
  for (let { value: token } = tokens.next(); token !== undefined; { value: token } = tokens.next()) {
    const { kind, text, start } = token
    if (kind === 'space' || kind === 'comment') {
      shown += text
    } else if (separator !== null && isSecret(token, separator)) {
      const end = Math.max(start + text.length, endOfSecret(sql, start, separator))
      if (end > start + text.length) tokens = tokensOf(sql, end)
      shown += HIDDEN
      separator = null
    } else if (isPassword(token)) {
      separator = ''
      isArgument = kind === 'string'
      shown += text
    } else {
      const isSeparator: boolean = separator === '' && (separators.has(text) || (isArgument && text === ','))
      separator = isSeparator ? text : null
      shown += kind === 'string' ? hideInLiteral(text, inner) : text
    }
  }
  return shown
}

function isSecret({ kind }: SqlToken, separator: string): boolean {
  return kind === 'string' || (kind === 'name' && separator !== '' && separator !== ',')
}

function isPassword(token: SqlToken): boolean {
  if (token.kind === 'string') return /^password$/i.test(stringText(token.text) ?? '')
  return (token.kind === 'word' || token.kind === 'name') && /password$/i.test(identifierOf(token))
}

function hideInLiteral(literal: string, inner: (text: string) => string): string {
  if (!/password/i.test(literal)) return literal
  const text = stringText(literal)
  const hidden = text === null ? null : inner(text)
  return hidden === null || hidden === text ? literal : withStringText(literal, hidden)
}
