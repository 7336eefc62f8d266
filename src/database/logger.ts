import { printable } from '../core/printable.ts'
import type { Logger } from '../core/options.ts'
import { currentTarget } from './target.ts'

const silent: Logger = { info: () => undefined, warn: () => undefined }

/** The console, which may be a terminal; names of the database are in messages. */
const toConsole: Logger = {
  info: (message) => console.info(printable(message)),
  warn: (message) => console.warn(printable(message)),
}

/** The logger to use: the caller's, none, or by default the console. What is only tried out is not announced. */
export function loggerFrom(option: Logger | false | undefined): Logger {
  return option === false || currentTarget() !== null ? silent : (option ?? toConsole)
}
