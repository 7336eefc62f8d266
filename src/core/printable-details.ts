import { printable, printableLines } from './printable.ts'

/** Details that are texts, possibly of several lines. All other details are names. */
const TEXTS = /^(?:problems?|reasons?|statements?)$/

/**
 * Prepares the details of an error for its message. Control characters are escaped, and the later lines of a text are
 * indented far enough that none looks like a line of ours.
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
