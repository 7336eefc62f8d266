import { withoutUnicode } from './string-text.ts'
import type { SqlToken } from './tokens.ts'

/**
 * The identifier that a token means: without its quotes and escapes, or in lower case where it has no quotes.
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
