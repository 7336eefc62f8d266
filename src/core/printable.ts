/**
 * Characters that a terminal interprets or hides: control characters (C0, DEL and C1), and the marks that reorder text,
 * split lines or have no width.
 */
const CONTROL = /[\p{Cc}\p{Bidi_Control}\u2028\u2029\uFEFF]/gu

/** Those characters that JSON leaves unescaped. */
const CONTROL_IN_JSON = /[\u007F-\u009F\p{Bidi_Control}\u2028\u2029\uFEFF]/gu

const NAMED: Readonly<Record<string, string>> = {
  '\n': String.raw`\n`,
  '\r': String.raw`\r`,
  '\t': String.raw`\t`,
}

/**
 * Returns external text as one printable line, with control characters escaped as psql does.
 *
 * @example printable('a\x1b[2Jb') // 'a\\x1B[2Jb'
 */
export function printable(text: string): string {
  return text.replaceAll(CONTROL, (character) => {
    const code = character.charCodeAt(0)
    return NAMED[character] ?? (code < 0x80 ? `\\x${hexadecimal(code, 2)}` : `\\u${hexadecimal(code, 4)}`)
  })
}

/** Splits external text into printable lines. */
export function printableLines(text: string): string[] {
  return text.split(/\r?\n/).map((line) => printable(line.replaceAll('\t', '  ')))
}

/** Returns equivalent JSON that is safe to print. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replaceAll(
    CONTROL_IN_JSON,
    (character) => `\\u${hexadecimal(character.charCodeAt(0), 4)}`,
  )
}

function hexadecimal(code: number, digits: number): string {
  return code.toString(16).toUpperCase().padStart(digits, '0')
}
