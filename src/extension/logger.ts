import type { Logger } from '../options.ts'

const silent: Logger = { info: () => undefined, warn: () => undefined }

/** The logger to use: the caller's, none, or by default the console. */
export function loggerFrom(option: Logger | false | undefined): Logger {
  return option === false ? silent : (option ?? console)
}
