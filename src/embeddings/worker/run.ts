import { setMaxListeners } from 'node:events'

import { bisectBatch, embedBatch, type Embedded } from './embed-batch.ts'
import { deferWrites, type DeferredWrites } from './deferred-writes.ts'
import type { Work } from './work.ts'
import type { Claim } from './work-source.ts'
import { writeBriefly } from './write-briefly.ts'
import { writePace, type WritePace } from './write-pace.ts'

/** What one run has left undone. */
export interface WorkResult {
  /** Rows that other sessions kept locked. */
  readonly inUse: number
}

const RETRY_LOCKED = 250

/**
 * Claims rows, embeds them and writes their vectors, in several lanes at once, until there is nothing left or the signal
 * aborts. While the model works, no lock is held and no transaction is open.
 */
export async function runWork(given: Work): Promise<WorkResult> {
  const work = { ...given, model: { ...given.model, signal: followerOf(given.model.signal) } }
  const { source, limits, policy, model, live } = work
  const { signal } = model
  const failed = new AbortController()
  const deferred = deferWrites(work)
  const state: Shared = { busy: 0, idleSince: null, failures: 0, lastSuccess: 0, pace: writePace() }
  let turn: Promise<Claim | null> = Promise.resolve(null)
  // Claims are made one after the other, so that lanes do not compete for the same rows.
  const next = (): Promise<Claim | null> => (turn = turn.catch(() => null).then(() => source.claim(limits.rows)))
  const isStopped = (): boolean => signal.aborted || failed.signal.aborted
  const pause = (milliseconds: number): Promise<void> => work.wake.pause(milliseconds, [signal, failed.signal])

  const idle = async (): Promise<boolean> => {
    state.idleSince ??= Date.now()
    if (state.busy > 0) {
      await pause(50)
      return true
    }
    const wait = deferred.count() > 0 ? RETRY_LOCKED : await policy.idle(Date.now() - state.idleSince)
    if (wait === null) return false
    await pause(deferred.count() > 0 ? Math.min(wait, RETRY_LOCKED) : wait)
    return true
  }

  const step = async (): Promise<boolean> => {
    await deferred.retry()
    const claim = await next()
    if (claim === null) return idle()
    state.idleSince = null
    state.busy++
    live.add(claim.id)
    try {
      await process(work, state, deferred, claim, isStopped, pause)
    } finally {
      state.busy--
      if (!deferred.has(claim)) live.delete(claim.id)
    }
    return true
  }

  const lane = async (): Promise<void> => {
    for (let goesOn = true; goesOn && !isStopped();) {
      try {
        goesOn = await step()
        state.failures = 0
      } catch (error) {
        try {
          await pause(await policy.onDatabaseError(error, ++state.failures))
        } catch (fatal) {
          // The other lanes finish their batches, so that the work of the model is not lost.
          failed.abort()
          throw fatal
        }
      }
    }
  }
  const ended = await Promise.allSettled(Array.from({ length: work.concurrency }, lane))
  const inUse = await deferred.end()
  const rejected = ended.find((each) => each.status === 'rejected')
  if (rejected !== undefined) throw rejected.reason
  return { inUse }
}

/** What the lanes share. */
interface Shared {
  /** Lanes with a batch. */
  busy: number
  idleSince: number | null
  failures: number
  /** When the model answered last. */
  lastSuccess: number
  readonly pace: WritePace
}

async function process(
  work: Work,
  state: Shared,
  deferred: DeferredWrites,
  claim: Claim,
  isStopped: () => boolean,
  pause: (milliseconds: number) => Promise<void>,
): Promise<void> {
  const { source, limits, policy, model, column, report } = work
  let rest = claim.keys
  while (rest.length > 0) {
    if (isStopped()) return source.release(claim, rest)
    const read = await source.read(claim, rest, limits.bytes)
    rest = read.rest
    if (read.rows.length === 0) continue
    const started = performance.now()
    const first = await embedBatch(model, column, read.rows)
    const works = (): boolean => state.lastSuccess > started
    const result =
      first !== null && 'error' in first && policy.bisects && (read.rows.length > 1 || works())
        ? await bisectBatch(model, column, read.rows, first.error, works)
        : first
    if (result === null) return source.release(claim, [...read.rows.map(({ key }) => key), ...rest])
    if ('error' in result) {
      await source.release(claim, rest)
      return pause(await policy.onFailedBatch(claim, read.rows, result))
    }
    const { made, ...refused } = result
    if (areAllWrong(result, read.rows.length) && state.lastSuccess === 0) {
      const error = new Error(`every vector that embed returned is wrong: ${refused.wrong[0]?.error ?? ''}`)
      await source.release(claim, rest)
      return pause(await policy.onFailedBatch(claim, read.rows, { error, isAlone: false }))
    }
    if (made.length > 0) state.lastSuccess = performance.now()
    await policy.onRefused(claim, refused)
    if (made.length > 0) report.add(await writeBriefly(work, deferred, claim, made, state.pace))
  }
}

/** A signal that aborts with another. Every call listens to it, and the caller's would make Node warn of a leak. */
function followerOf(signal: AbortSignal): AbortSignal {
  const follower = AbortSignal.any([signal])
  setMaxListeners(0, follower)
  return follower
}

const MANY_ROWS = 10

// A model of other dimensions is a mistake in the configuration, and no reason to give up every row.
function areAllWrong({ wrong }: Embedded, rows: number): boolean {
  return wrong.length === rows && rows >= MANY_ROWS
}
