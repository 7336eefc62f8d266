import { printable, printableLines } from './printable.ts'

/** What is a text of its own, of lines or not; the other details are names. */
const TEXTS = /^(?:problems?|reasons?|statements?)$/

/**
 * The details of an error as they go into its message: control characters escaped, and where a text has several lines,
 * all but the first stand so far to the right that none of them looks like ours.
 */
export function printableDetails<Details>(details: Details): Details {
  return copyOf(details, printable) as Details
}

function copyOf(value: unknown, show: (text: string) => string): unknown {
  if (typeof value === 'string') return show(value)
  if (Array.isArray(value)) return value.map((each: unknown) => copyOf(each, show))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, copyOf(each, TEXTS.test(key) ? indented : show)]),
  )
}

function indented(text: string): string {
  return printableLines(text).join('\n    ')
}
