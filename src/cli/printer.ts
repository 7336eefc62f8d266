/** Where a command's words go. */
export interface Printer {
  /** The result, for people: stdout; nothing with --json. */
  line(text?: string): void
  /** What happens on the way: stderr; nothing with --quiet. */
  note(text: string): void
  /** The result, for machines: one document on stdout; nothing without --json. */
  document(value: unknown): void
}

export function printer({ isJson, isQuiet }: { readonly isJson: boolean; readonly isQuiet: boolean }): Printer {
  return {
    line: (text = '') => {
      if (!isJson) process.stdout.write(`${text}\n`)
    },
    note: (text) => {
      if (!isQuiet) process.stderr.write(`${text}\n`)
    },
    document: (value) => {
      if (isJson) process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
    },
  }
}
