import { constants } from 'node:os'

/** The exit codes and their meanings. docs/command-line.md has the same table. */
export const exitCodes = {
  done: { code: 0, meaning: 'done' },
  bug: { code: 1, meaning: 'a bug of this library: please report it' },
  failure: { code: 2, meaning: 'a failure that the message explains' },
  found: { code: 3, meaning: 'the check found something' },
  undecided: { code: 4, meaning: 'the check could not decide' },
} as const satisfies Record<string, { readonly code: number; readonly meaning: string }>

/** The exit code of each outcome. */
export const exitCode = {
  done: exitCodes.done.code,
  bug: exitCodes.bug.code,
  failure: exitCodes.failure.code,
  found: exitCodes.found.code,
  undecided: exitCodes.undecided.code,
} as const satisfies Record<keyof typeof exitCodes, number>

/** Returns the exit code of a process that a signal stopped, by the convention of shells. */
export function exitCodeOfSignal(signal: string): number {
  const { signals } = constants
  return 128 + (signal in signals ? signals[signal as NodeJS.Signals] : signals.SIGINT)
}
