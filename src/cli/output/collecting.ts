import type { Logger } from '../../core/options.ts'

/** A logger that keeps warnings, to be shown behind the result. */
export function collecting(warnings: string[]): Logger {
  return { info: () => undefined, warn: (warning) => void warnings.push(warning) }
}
