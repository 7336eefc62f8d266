import { printableJson } from '../../core/printable.ts'
import { escapeAllButColours, showColours } from './colour.ts'

/** One or more lines. Control characters in names and texts are escaped, so each stays one line. */
export type Lines = string | readonly string[]

/** Prints the output of a command. */
export interface Printer {
  /** The result, for people: stdout; nothing with --json. */
  readonly line: (text?: Lines) => void
  /** The progress: stderr; nothing with --quiet. */
  readonly note: (text: Lines) => void
  /** The result for another program, unchanged: stdout; nothing with --json. */
  readonly exact: (text: string) => void
  /** The result as a document: stdout; nothing without --json. */
  readonly document: (value: unknown) => void
}

const writeToStdout = process.stdout.write.bind(process.stdout)

/** Sends what migrations write to stdout to stderr. With --json, stdout is only for the document. */
export function reserveStdout(): void {
  process.stdout.write = process.stderr.write.bind(process.stderr)
}

/** Writes the document. */
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

/** Writes lines, without colours if this stream is not a terminal. One of the two may be a file. */
export function write(stream: NodeJS.WriteStream, text: Lines): void {
  const isColoured = stream.isTTY || 'FORCE_COLOR' in process.env
  const lines = typeof text === 'string' ? [text] : text
  stream.write(lines.map((line) => `${showColours(escapeAllButColours(line), isColoured)}\n`).join(''))
}
