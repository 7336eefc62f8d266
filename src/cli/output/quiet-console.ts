import { format } from 'node:util'

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
