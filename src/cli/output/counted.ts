/**
 * Returns a number with its noun, in the plural if necessary.
 *
 * @example counted(1200, 'row') // '1,200 rows'
 */
export function counted(number: number, noun: string): string {
  return `${number.toLocaleString('en-US')} ${noun}${number === 1 ? '' : 's'}`
}
