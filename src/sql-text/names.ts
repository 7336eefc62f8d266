import { withoutUnicode } from './string-text.ts'
import type { SqlToken } from './tokens.ts'

/**
 * Returns the identifier that a token denotes: without quotes and escapes, or in lower case if it is not quoted.
 *
 * @example identifierOf({ kind: 'name', text: 'U&"why\\003F"', start: 0 }) // 'why?'
 */
export function identifierOf({ kind, text }: SqlToken): string {
  if (kind !== 'name') return text.toLowerCase()
  return text.startsWith('"') ? unquoted(text) : withoutUnicode(unquoted(text.slice(2)))
}

function unquoted(text: string): string {
  return text.slice(1, -1).replaceAll('""', '"')
}
