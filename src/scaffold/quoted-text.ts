/** A text as JavaScript has it between quotes. */
export function quotedText(value: string): string {
  // A JSON string is a string of JavaScript; other quotes where nothing has to be escaped.
  if (!/['\\\n\r\u2028\u2029]/.test(value)) return `'${value}'`
  return /[`$\\\n\r\u2028\u2029]/.test(value) ? JSON.stringify(value) : `\`${value}\``
}
