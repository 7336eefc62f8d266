import { segmentsOf } from './quotes.ts'

const OPENING = /^(?:[bBeExX]|[uU]&)?'|^\$[^$]*\$/

/**
 * Returns the text of a string literal, or null if it is not closed. In U&'' the escape character is assumed to be a
 * backslash.
 */
export function stringText(literal: string): string | null {
  const [opening = ''] = OPENING.exec(literal) ?? []
  if (opening.startsWith('$')) {
    const isClosed = literal.endsWith(opening) && literal.length >= 2 * opening.length
    return isClosed ? literal.slice(opening.length, -opening.length) : null
  }
  // An unclosed literal extends past the character appended here.
  const segments = segmentsOf(`${literal} `, opening, opening.length)
  if (segments.some(({ end }) => end > literal.length)) return null
  const text = segments.map(({ from, end }) => literal.slice(from, end - 1)).join('')
  return readerOf(opening)(text)
}

/** Returns the same literal with another text between its quotes. */
export function withStringText(literal: string, text: string): string {
  const [opening = ''] = OPENING.exec(literal) ?? []
  if (opening.startsWith('$')) return `${opening}${text}${opening}`
  const doubled = text.replaceAll("'", "''")
  return `${opening}${/^[eu]/i.test(opening) ? doubled.replaceAll('\\', '\\\\') : doubled}'`
}

function readerOf(opening: string): (text: string) => string {
  if (/^e/i.test(opening)) return withoutEscapes
  return /^u/i.test(opening)
    ? (text) => withoutUnicode(text.replaceAll("''", "'"))
    : (text) => text.replaceAll("''", "'")
}

const NAMED: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }

const ESCAPE = /''|\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([^]))/g

function withoutEscapes(text: string): string {
  return text.replaceAll(ESCAPE, (found: string, octal?: string, ...more: readonly (string | undefined)[]) => {
    const [hex, four, eight, character] = more
    if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8) % 256)
    const code = hex ?? four ?? eight
    if (code !== undefined) return characterOf(code)
    return character === undefined ? found.slice(1) : (NAMED[character] ?? character)
  })
}

const UNICODE = /\\(?:(\\)|([0-9A-Fa-f]{4})|\+([0-9A-Fa-f]{6}))/g

/** Decodes the Unicode escapes of a text, as in U&''. */
export function withoutUnicode(text: string): string {
  return text.replaceAll(UNICODE, (_, self?: string, four?: string, six?: string) =>
    self === undefined ? characterOf(four ?? six ?? '') : '\\',
  )
}

const LAST = 0x10_ff_ff

function characterOf(hex: string): string {
  const code = Number.parseInt(hex, 16)
  return code <= LAST ? String.fromCodePoint(code) : '\uFFFD'
}
