import { printableJson } from '../../core/printable.ts'
import { escapeAllButColours, showColours } from './colour.ts'

/** A line, or several. Names and texts in it may have control characters, which are escaped: it stays one line. */
export type Lines = string | readonly string[]

/** Where a command's words go. */
export interface Printer {
  /** The result, for people: stdout; nothing with --json. */
  readonly line: (text?: Lines) => void
  /** What happens on the way: stderr; nothing with --quiet. */
  readonly note: (text: Lines) => void
  /** The result, for another program, as it is: stdout; nothing with --json. */
  readonly exact: (text: string) => void
  /** The result, for machines: one document on stdout; nothing without --json. */
  readonly document: (value: unknown) => void
}

const writeToStdout = process.stdout.write.bind(process.stdout)

/** Sends what others write to stdout, as migrations may, to stderr: with --json, stdout belongs to the document. */
export function reserveStdout(): void {
  process.stdout.write = process.stderr.write.bind(process.stderr)
}

/** Writes the one document. */
export function writeDocument(value: unknown): void {
  writeToStdout(`${printableJson(value)}\n`)
}

export function printer({ isJson, isQuiet }: { readonly isJson: boolean; readonly isQuiet: boolean }): Printer {
  return {
    line: (text = '') => {
      if (!isJson) write(process.stdout, text)
    },
    note: (text) => {
      if (!isQuiet) write(process.stderr, text)
    },
    exact: (text) => {
      if (!isJson) process.stdout.write(text)
    },
    document: (value) => {
      if (isJson) writeDocument(value)
    },
  }
}

/** Writes lines, without colours where nobody sees them: one of the two streams may be a file. */
export function write(stream: NodeJS.WriteStream, text: Lines): void {
  const isColoured = stream.isTTY || 'FORCE_COLOR' in process.env
  const lines = typeof text === 'string' ? [text] : text
  stream.write(lines.map((line) => `${showColours(escapeAllButColours(line), isColoured)}\n`).join(''))
}
