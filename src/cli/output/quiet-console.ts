import { Console } from 'node:console'
import { Writable } from 'node:stream'
import { format } from 'node:util'

const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })

/** Silences the console for the rest of the process. Errors still go to stderr. */
export function silenceConsole(): void {
  const silent = new Console({ stdout: nowhere, stderr: process.stderr })
  globalThis.console = Object.assign(silent, { warn: () => undefined })
}

/** Sends console output of migrations to stderr, because stdout is for the result alone. */
export function divertConsole(isQuiet: boolean): void {
  if (!isQuiet) globalThis.console = new Console(process.stderr)
}

/** Passes console output of migrations to `hear` while `work` runs. What they report in a rehearsal did not happen. */
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
