/**
 * A text of somebody else in lines: all but the first stand so far to the right that none of them looks like ours.
 *
 * @example hanging('no\nNext  run this', ' (22000)') // ['no (22000)', '    Next  run this']
 */
export function hanging(text: string, afterFirst = ''): string[] {
  const [first = '', ...rest] = text.split(/\r?\n/)
  return [first + afterFirst, ...rest.map((line) => `    ${line}`)]
}
