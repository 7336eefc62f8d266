/**
 * What a terminal acts on or hides: control characters (C0, DEL and C1), and the marks that reorder text, split lines
 * or take no room.
 */
const CONTROL = /[\p{Cc}\p{Bidi_Control}\u2028\u2029\uFEFF]/gu

/** Those of them that JSON leaves as they are. */
const CONTROL_IN_JSON = /[\u007F-\u009F\p{Bidi_Control}\u2028\u2029\uFEFF]/gu

const NAMED: Readonly<Record<string, string>> = {
  '\n': String.raw`\n`,
  '\r': String.raw`\r`,
  '\t': String.raw`\t`,
}

/**
 * A text from outside as it can be printed, in one line: control characters escaped, as psql does.
 *
 * @example printable('a\x1b[2Jb') // 'a\\x1B[2Jb'
 */
export function printable(text: string): string {
  return text.replaceAll(CONTROL, (character) => {
    const code = character.charCodeAt(0)
    return NAMED[character] ?? (code < 0x80 ? `\\x${hexadecimal(code, 2)}` : `\\u${hexadecimal(code, 4)}`)
  })
}

/** A text of several lines, each of which can be printed. */
export function printableLines(text: string): string[] {
  return text.split(/\r?\n/).map((line) => printable(line.replaceAll('\t', '  ')))
}

/** A document that means the same, and can be printed. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replaceAll(
    CONTROL_IN_JSON,
    (character) => `\\u${hexadecimal(character.charCodeAt(0), 4)}`,
  )
}

function hexadecimal(code: number, digits: number): string {
  return code.toString(16).toUpperCase().padStart(digits, '0')
}
