/**
 * What a terminal would act on or hide: control characters but for line breaks and tabs, C1, and the marks that reorder or
 * split lines. A carriage return that is part of a line break stays.
 */
const CONTROL = /\r(?!\n)|[^\P{Cc}\n\r\t]|[\p{Bidi_Control}\u2028\u2029\uFEFF]/gu

/**
 * A text from outside as it can be printed: control characters escaped, as psql does.
 *
 * @example printable('a\x1b[2Jb') // 'a\\x1B[2Jb'
 */
export function printable(text: string): string {
  return text.replaceAll(CONTROL, (character) => {
    if (character === '\r') return String.raw`\r`
    const code = character.charCodeAt(0)
    const digits = code.toString(16).toUpperCase()
    return code < 0x80 ? `\\x${digits.padStart(2, '0')}` : `\\u${digits.padStart(4, '0')}`
  })
}
