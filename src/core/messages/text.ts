/** A file of the user's that cannot be used, and why. */
export interface InvalidFile {
  /** The name of a migration, or the path of a configuration. */
  readonly file: string
  readonly problem: string
  /** Where it is: the file, or one that it imports. */
  readonly path?: string
  /** The line in it; null where it is not known. */
  readonly line?: number | null
}

/** What an error says, and what to do next. */
export interface ErrorText {
  readonly message: string
  readonly hint: string
}

export const SHOWN_OF_LIST = 10

export function placeOf({ file, path, line = null }: Omit<InvalidFile, 'problem'>): string {
  if (path === undefined || (line === null && path === file)) return ''
  return ` (${path}${line === null ? '' : `:${line}`})`
}

/** The texts of a group of errors. */
export type Messages<Details> = { readonly [Code in keyof Details]: (details: Details[Code]) => ErrorText }
