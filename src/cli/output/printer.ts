import { stripVTControlCharacters } from 'node:util'

/** Where a command's words go. */
export interface Printer {
  /** The result, for people: stdout; nothing with --json. */
  readonly line: (text?: string) => void
  /** What happens on the way: stderr; nothing with --quiet. */
  readonly note: (text: string) => void
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
  writeToStdout(`${JSON.stringify(value, null, 2)}\n`)
}

export function printer({ isJson, isQuiet }: { readonly isJson: boolean; readonly isQuiet: boolean }): Printer {
  return {
    line: (text = '') => {
      if (!isJson) write(process.stdout, text)
    },
    note: (text) => {
      if (!isQuiet) write(process.stderr, text)
    },
    document: (value) => {
      if (isJson) writeDocument(value)
    },
  }
}

/** Writes a line, without colours where nobody sees them: one of the two streams may be a file. */
export function write(stream: NodeJS.WriteStream, text: string): void {
  const isColoured = stream.isTTY || 'FORCE_COLOR' in process.env
  stream.write(`${isColoured ? text : stripVTControlCharacters(text)}\n`)
}
