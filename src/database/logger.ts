import { printable } from '../core/printable.ts'
import type { Logger } from '../core/options.ts'
import { currentTarget } from './target.ts'

const silent: Logger = { info: () => undefined, warn: () => undefined }

/** The console may be a terminal, and messages contain names from the database. */
const toConsole: Logger = {
  info: (message) => console.info(printable(message)),
  warn: (message) => console.warn(printable(message)),
}

/** Returns the logger to use: the caller's, none, or by default the console. A trial run logs nothing. */
export function loggerFrom(option: Logger | false | undefined): Logger {
  return option === false || currentTarget() !== null ? silent : (option ?? toConsole)
}
