import { segmentsOf } from './quotes.ts'

const OPENING = /^(?:[bBeExX]|[uU]&)?'|^\$[^$]*\$/

/** What stands between the quotes of a string literal, null where it is not closed; the escapes of U&'' stay. */
export function stringText(literal: string): string | null {
  const [opening = ''] = OPENING.exec(literal) ?? []
  if (opening.startsWith('$')) {
    const isClosed = literal.endsWith(opening) && literal.length >= 2 * opening.length
    return isClosed ? literal.slice(opening.length, -opening.length) : null
  }
  // What is not closed extends over a character after it.
  const segments = segmentsOf(`${literal} `, opening, opening.length)
  if (segments.some(({ end }) => end > literal.length)) return null
  const parts = segments.map(({ from, end }) => literal.slice(from, end - 1))
  const escape = hasEscapes(opening) ? /\\([^])|'(')/g : /(')'/g
  return parts.join('').replaceAll(escape, (_, first: string | undefined, second?: unknown) => String(first ?? second))
}

/** The same literal with another text in its quotes. */
export function withStringText(literal: string, text: string): string {
  const [opening = ''] = OPENING.exec(literal) ?? []
  if (opening.startsWith('$')) return `${opening}${text}${opening}`
  const doubled = text.replaceAll("'", "''")
  return `${opening}${hasEscapes(opening) ? doubled.replaceAll('\\', '\\\\') : doubled}'`
}

function hasEscapes(opening: string): boolean {
  return /^e/i.test(opening)
}
