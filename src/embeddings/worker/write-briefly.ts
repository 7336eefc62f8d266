import { sqlStateOf } from '../../core/errors.ts'
import type { Key } from '../key-sql.ts'
import type { DeferredWrites } from './deferred-writes.ts'
import type { Work } from './work.ts'
import type { Claim, MadeRow } from './work-source.ts'
import type { WritePace } from './write-pace.ts'

/**
 * Writes vectors in statements of so few rows that each takes some milliseconds, and gives the rows back. Returns how
 * many were written.
 */
export async function writeBriefly(
  { source, policy }: Work,
  deferred: DeferredWrites,
  claim: Claim,
  made: readonly MadeRow[],
  pace: WritePace,
): Promise<number> {
  const over: Key[] = []
  let written = 0

  // The rows that the database refuses are found by halving.
  const writeParts = async (part: readonly MadeRow[]): Promise<void> => {
    try {
      const { results, milliseconds } = await source.write(claim, part)
      pace.learn(part.length, milliseconds)
      deferred.add(
        claim,
        part.filter((_, place) => results[place] === 'locked'),
      )
      over.push(...part.filter((_, place) => results[place] !== 'locked').map(({ key }) => key))
      written += results.filter((each) => each === 'written').length
    } catch (error) {
      if (!isRefusal(error) || !policy.bisects) throw error
      const [row] = part
      if (part.length === 1 && row !== undefined) return policy.onRefusedWrite(claim, row, error)
      const middle = Math.ceil(part.length / 2)
      await writeParts(part.slice(0, middle))
      await writeParts(part.slice(middle))
    }
  }

  for (let from = 0; from < made.length;) {
    const part = made.slice(from, from + pace.rows())
    await writeParts(part)
    from += part.length
  }
  await source.release(claim, over)
  return written
}

// Errors of the classes "data exception" and "integrity constraint violation", or raised by a trigger, are about a row.
function isRefusal(error: unknown): boolean {
  return /^(22|23|44|P0)/.test(sqlStateOf(error) ?? '')
}
