import { randomInt } from 'node:crypto'

import { isColorSupported } from 'colorette'

import { printable } from '../../core/printable.ts'

const SEQUENCE = '\u001B['

// cli-table3 recognizes terminal sequences with groups of this many digits, and counts them as no width.
const KEY = Array.from({ length: 3 }, () => randomInt(1000, 10_000)).join(';')

/**
 * The beginning of a mark, which is replaced by the beginning or the end of a colour. It contains a random number of this
 * process, so no name in the database looks like one, and everything else on the line can be escaped.
 */
const MARK = `${SEQUENCE}${KEY};`

const mark = (code: number): string => `${MARK}${code}m`

const painter =
  (open: number, close: number) =>
  (text: string): string =>
    isColorSupported && text !== '' ? `${mark(open)}${text}${mark(close)}` : text

export const bold = painter(1, 22)
export const dim = painter(2, 22)
export const red = painter(31, 39)
export const green = painter(32, 39)
export const yellow = painter(33, 39)
export const cyan = painter(36, 39)
export const gray = painter(90, 39)

/** Returns a text on one line, with everything escaped except our colours. */
export function escapeAllButColours(text: string): string {
  return eachPart(text, printable, (code) => `${MARK}${code}`)
}

/** Turns the marks of an escaped text into terminal sequences, or removes them. */
export function showColours(text: string, isColoured: boolean): string {
  return eachPart(
    text,
    (other) => other,
    (code) => (isColoured ? `${SEQUENCE}${code}` : ''),
  )
}

function eachPart(text: string, other: (text: string) => string, marked: (code: string) => string): string {
  const [first = '', ...rest] = text.split(MARK)
  const behind = rest.map((part) => {
    const code = /^\d{1,2}m/.exec(part)?.[0] ?? ''
    return `${code === '' ? '' : marked(code)}${other(part.slice(code.length))}`
  })
  return [other(first), ...behind].join('')
}
