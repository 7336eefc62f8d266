// Characters that an editor would hide, or that end a line.
const UNSEEN = /[\p{Cc}\p{Bidi_Control}\p{Surrogate}\u2028\u2029\uFEFF]/gu

/** Returns a text as a quoted JavaScript string. */
export function quotedText(value: string): string {
  const isPlain = value.search(UNSEEN) === -1
  // A JSON string is a valid JavaScript string. Text without escapes gets single quotes.
  if (isPlain && !/['\\]/.test(value)) return `'${value}'`
  if (isPlain && !/[`$\\]/.test(value)) return `\`${value}\``
  return JSON.stringify(value).replaceAll(UNSEEN, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
