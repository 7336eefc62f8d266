import type { SqlToken } from './tokens.ts'

/**
 * The identifier that a token means: without its quotes and escapes, or in lower case where it has no quotes.
 *
 * @example identifierOf({ kind: 'name', text: 'U&"why\\003F"', start: 0 }) // 'why?'
 */
export function identifierOf({ kind, text }: SqlToken): string {
  if (kind !== 'name') return text.toLowerCase()
  if (text.startsWith('"')) return unquoted(text)
  return unquoted(text.slice(2)).replaceAll(/\\(?:(\\)|([0-9A-Fa-f]{4})|\+([0-9A-Fa-f]{6}))/g, (_, self, four, six) =>
    self === undefined ? String.fromCodePoint(Number.parseInt(four ?? six, 16)) : '\\',
  )
}

function unquoted(text: string): string {
  return text.slice(1, -1).replaceAll('""', '"')
}
