import type { Logger } from '../../core/options.ts'

/** A logger that keeps warnings, to print them after the result. */
export function collecting(warnings: string[]): Logger {
  return { info: () => undefined, warn: (warning) => void warnings.push(warning) }
}
