import { Console } from 'node:console'
import { Writable } from 'node:stream'
import { format } from 'node:util'

const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })

/** Takes the console from migrations and the library for the rest of the process; errors still go to stderr. */
export function silenceConsole(): void {
  const silent = new Console({ stdout: nowhere, stderr: process.stderr })
  globalThis.console = Object.assign(silent, { warn: () => undefined })
}

/** Sends what migrations tell the console to stderr, where stdout is for the result alone. */
export function divertConsole(isQuiet: boolean): void {
  if (!isQuiet) globalThis.console = new Console(process.stderr)
}

/**
 * Gives what migrations tell the console to `hear` while `work` runs: of a rehearsal, what they say did not happen.
 */
export async function withConsole<Result>(hear: (text: string) => void, work: () => Promise<Result>): Promise<Result> {
  const { debug, info, log, warn } = console
  const say = (...words: readonly unknown[]): void => hear(format(...words))
  Object.assign(console, { debug: say, info: say, log: say, warn: say })
  try {
    return await work()
  } finally {
    Object.assign(console, { debug, info, log, warn })
  }
}
