import type { Logger } from '../core/options.ts'
import { currentTarget } from './target.ts'

const silent: Logger = { info: () => undefined, warn: () => undefined }

/** The logger to use: the caller's, none, or by default the console. What is only tried out is not announced. */
export function loggerFrom(option: Logger | false | undefined): Logger {
  return option === false || currentTarget() !== null ? silent : (option ?? console)
}
