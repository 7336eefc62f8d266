import type { Work } from './work.ts'
import type { Claim, MadeRow } from './work-source.ts'

/** Vectors of rows that other sessions had locked. They are kept, so that the model is not paid twice. */
export interface DeferredWrites {
  add(claim: Claim, made: readonly MadeRow[]): void
  /** Tries to write them again, and gives up those that have waited for too long. */
  retry(): Promise<void>
  count(): number
  has(claim: Claim): boolean
  /** Tries once more, gives the others back, and returns how many rows stayed locked in all. */
  end(): Promise<number>
}

interface Deferred {
  readonly claim: Claim
  readonly made: MadeRow
  readonly since: number
}

const RETRY_EVERY = 250

// More than this are given back, so that they take no memory.
const MOST_BYTES = 8 * 2 ** 20

export function deferWrites({ source, policy, report, live }: Work): DeferredWrites {
  let waiting: readonly Deferred[] = []
  let isRetrying = false
  let triedAt = 0
  let givenUp = 0

  const giveBack = async (rows: readonly Deferred[]): Promise<void> => {
    givenUp += rows.length
    for (const [claim, all] of byClaim(rows)) {
      // Another worker would find the row locked too.
      await source.postpone(claim, all, policy.lockPatience, 'another session kept the row locked')
    }
  }
  const forget = (before: readonly Deferred[]): void => {
    const left = new Set(waiting.map(({ claim }) => claim.id))
    for (const { claim } of before) if (!left.has(claim.id)) live.delete(claim.id)
  }
  const retry = async (isLast: boolean): Promise<void> => {
    const before = waiting
    const tried = before.slice()
    waiting = []
    const still: Deferred[] = []
    for (const [claim, made] of byClaim(tried)) {
      const { results } = await source.write(claim, made)
      const count = results.filter((each) => each === 'written').length
      if (count > 0) report.add(count)
      const locked = new Set(made.filter((_, place) => results[place] === 'locked'))
      await source.release(
        claim,
        made.filter((each) => !locked.has(each)).map(({ key }) => key),
      )
      still.push(...tried.filter((each) => locked.has(each.made)))
    }
    const over = (each: Deferred): boolean => isLast || Date.now() - each.since >= policy.lockPatience
    await giveBack(still.filter(over))
    waiting = [...waiting, ...still.filter((each) => !over(each))]
    forget(before)
  }
  return {
    add: (claim, made) => {
      let bytes = waiting.reduce((sum, each) => sum + each.made.value.length, 0)
      const added = made.map((each) => {
        bytes += each.value.length
        // One that has waited for too long already is given back by the next attempt.
        return { claim, made: each, since: bytes > MOST_BYTES ? Number.NEGATIVE_INFINITY : Date.now() }
      })
      waiting = [...waiting, ...added]
    },
    retry: async () => {
      if (waiting.length === 0 || isRetrying || Date.now() - triedAt < RETRY_EVERY) return
      isRetrying = true
      try {
        await retry(false)
      } finally {
        triedAt = Date.now()
        isRetrying = false
      }
    },
    count: () => waiting.length,
    has: (claim) => waiting.some((each) => each.claim.id === claim.id),
    end: async () => {
      if (waiting.length > 0) await retry(true)
      return givenUp
    },
  }
}

function byClaim(rows: readonly Deferred[]): Map<Claim, MadeRow[]> {
  const groups = new Map<Claim, MadeRow[]>()
  for (const { claim, made } of rows) {
    const group = groups.get(claim)
    if (group === undefined) groups.set(claim, [made])
    else group.push(made)
  }
  return groups
}
