import { isPgvectorMigrationError } from '../core/errors.ts'
import { serverMessage } from '../database/server-message.ts'
import { readBatch, writeBatch, type RowWithoutVector } from './batch.ts'
import { embedBatch, failure } from './embed.ts'
import type { BackfillJob } from './job.ts'

/** The result of one pass over the table. */
export interface Pass {
  readonly filled: number
  /** Rows that changed in the meantime, or that another session was changing. */
  readonly inUse: number
}

/** Goes through the table once in key order, with up to the allowed number of concurrent batches. */
export async function backfillOnce(job: BackfillJob, stop: () => void): Promise<Pass> {
  const next = batches(job)
  let filled = 0
  let inUse = 0
  const work = async (): Promise<void> => {
    for (let rows = await next(); rows !== null; rows = await next()) {
      const embedded = rows.length === 0 ? null : await embedBatch(job, rows)
      if (embedded === null) continue
      for (const { key } of embedded.leftOut) job.leftOut.add(keyOf(key))
      const written = embedded.made.length === 0 ? 0 : await writeBatch(job.db, job.target, embedded.made)
      filled += written
      inUse += embedded.made.length - written
      job.report.add(written)
    }
  }
  const workers = Array.from({ length: job.needs.concurrency }, async () => {
    try {
      await work()
    } catch (error) {
      // The other calls finish their batches, so that the work of the model is not lost.
      stop()
      throw error
    }
  })
  const ended = await Promise.allSettled(workers)
  const rejected = ended.find((each) => each.status === 'rejected')
  if (rejected !== undefined) throw asBackfillError(job, rejected.reason)
  return { filled, inUse }
}

/** Returns one batch after the other, each once; null when there are no more. */
function batches({
  db,
  target,
  needs,
  signal,
  leftOut,
}: BackfillJob): () => Promise<readonly RowWithoutVector[] | null> {
  let after: readonly string[] | null = null
  let isLast = false
  const read = async (): Promise<readonly RowWithoutVector[] | null> => {
    if (isLast || signal.aborted) return null
    const rows = await readBatch(db, target, after, needs.batchSize)
    after = rows.at(-1)?.key ?? after
    isLast = rows.length < needs.batchSize
    return rows.filter(({ key }) => !leftOut.has(keyOf(key)))
  }
  let turn: Promise<readonly RowWithoutVector[] | null> = Promise.resolve(null)
  // Reads run in sequence, because each begins where the previous one ended.
  return () => (turn = turn.then(read))
}

function keyOf(key: readonly string[]): string {
  return JSON.stringify(key)
}

function asBackfillError(job: BackfillJob, error: unknown): unknown {
  const isExplained = isPgvectorMigrationError(error) && error.code !== 'CONNECTION_LOST'
  return isExplained ? error : failure(job, serverMessage(error), error)
}
