/**
 * Splits a text that is not ours into lines, and indents all but the first, so that none looks like a line of ours.
 *
 * @example hanging('no\nNext  run this', ' (22000)') // ['no (22000)', '    Next  run this']
 */
export function hanging(text: string, afterFirst = ''): string[] {
  const [first = '', ...rest] = text.split(/\r?\n/)
  return [first + afterFirst, ...rest.map((line) => `    ${line}`)]
}
