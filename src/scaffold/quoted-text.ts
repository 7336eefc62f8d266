// What an editor would hide or a line would end at.
const UNSEEN = /[\p{Cc}\p{Bidi_Control}\p{Surrogate}\u2028\u2029\uFEFF]/gu

/** A text as JavaScript has it between quotes. */
export function quotedText(value: string): string {
  const isPlain = value.search(UNSEEN) === -1
  // A JSON string is a string of JavaScript; other quotes where nothing has to be escaped.
  if (isPlain && !/['\\]/.test(value)) return `'${value}'`
  if (isPlain && !/[`$\\]/.test(value)) return `\`${value}\``
  return JSON.stringify(value).replaceAll(UNSEEN, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
