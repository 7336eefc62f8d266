import { AsyncLocalStorage } from 'node:async_hooks'

import type { Deadlines } from '../../../src/database/deadlines.ts'

/** Short, so that a stalled connection is noticed soon. */
const short: Deadlines = { connect: 500, lock: 500, ask: 300, close: 300, probe: 100 }

/** Longer than anything takes on a machine that is busy with other things. */
const long: Deadlines = { connect: 20_000, lock: 20_000, ask: 20_000, close: 5000, probe: 30_000 }

const isHurried = new AsyncLocalStorage<boolean>()

/** The deadlines of what is called now. */
export function currentDeadlines(): Deadlines {
  return isHurried.getStore() === true ? short : long
}

/** Runs work with short deadlines. */
export function hurried<Result>(work: () => Promise<Result>): Promise<Result> {
  return isHurried.run(true, work)
}
