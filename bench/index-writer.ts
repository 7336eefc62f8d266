import type { Knex } from 'knex'

/** The milliseconds of each write of one writer, as long as the work goes on. */
export async function writeWhile(knex: Knex, work: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = []
  const state = { isWorking: true }
  const writing = (async () => {
    for (let id = 1; state.isWorking; id++) {
      const started = performance.now()
      await knex.raw(`update documents set note = ${id} where id = ${(id % 1000) + 1}`)
      times.push(performance.now() - started)
    }
  })()
  await work()
  state.isWorking = false
  await writing
  return times
}

/** The time that this share of them does not exceed. */
export function percentile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((left, right) => left - right)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
