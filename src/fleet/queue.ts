import { setTimeout as sleep } from 'node:timers/promises'

import type { LockHolder } from '../core/errors.ts'
import type { FailedTenant, Stop } from './report.ts'

/** How the attempt to run a tenant ended. */
export type Attempt =
  | { readonly outcome: 'done' | 'skipped' }
  | { readonly outcome: 'busy'; readonly holder: LockHolder | null }
  | { readonly outcome: 'failed'; readonly failure: FailedTenant }

/** In which order tenants run, and when no further one is started. */
export interface QueueOptions {
  readonly concurrency: number
  readonly canary: number
  readonly maxFailures: number
  /** In milliseconds. */
  readonly wait: number
  readonly signal?: AbortSignal | undefined
  readonly onBusy: (tenant: string, holder: LockHolder | null) => void
  readonly onStop: (reason: Stop) => void
}

/** The names of the tenants, by the end of their runs. */
export interface QueueResult {
  readonly done: readonly string[]
  readonly skipped: readonly string[]
  readonly busy: readonly string[]
  readonly failed: readonly FailedTenant[]
  readonly notReached: readonly string[]
  readonly stopped: Stop | null
}

interface Entry<Work> {
  readonly name: string
  readonly work: Work
  /** When it was first found busy, and when to try it again. */
  readonly busySince?: number
  readonly notBefore?: number
}

const RETRY_MILLISECONDS = 200

/** Runs tenants: the canaries one after the other, then several at once. A busy tenant goes to the end of the queue. */
export async function runQueue<Work extends { readonly name: string }>(
  tenants: readonly Work[],
  options: QueueOptions,
  attempt: (tenant: Work) => Promise<Attempt>,
): Promise<QueueResult> {
  const { concurrency, canary, maxFailures, wait, signal } = options
  const queue: Entry<Work>[] = tenants.map((work) => ({ name: work.name, work }))
  const done: string[] = []
  const skipped: string[] = []
  const busy: string[] = []
  const failed: FailedTenant[] = []
  let stopped: Stop | null = null
  let isProven = false
  const stop = (reason: Stop): void => {
    if (stopped === null) options.onStop(reason)
    stopped ??= reason
  }
  const note = (entry: Entry<Work>, result: Attempt): void => {
    if (result.outcome === 'done') done.push(entry.name)
    if (result.outcome === 'skipped') skipped.push(entry.name)
    if (result.outcome === 'failed') {
      failed.push(result.failure)
      if (!isProven) stop('canary')
      else if (failed.length > maxFailures) stop('maxFailures')
    }
    if (result.outcome !== 'busy') return
    if (entry.busySince === undefined) options.onBusy(entry.name, result.holder)
    const now = performance.now()
    const { busySince = now } = entry
    if (now - busySince >= wait) busy.push(entry.name)
    else queue.push({ ...entry, busySince, notBefore: now + Math.min(RETRY_MILLISECONDS, busySince + wait - now) })
  }
  // Undefined if there is no further tenant to start.
  const runNext = async (): Promise<Attempt['outcome'] | undefined> => {
    // Only tenants that were busy have to wait, and they are at the end of the queue.
    const pause = (queue[0]?.notBefore ?? 0) - performance.now()
    if (pause > 0) await sleep(pause, undefined, { signal }).catch(() => undefined)
    if (signal?.aborted === true) stop('signal')
    const entry = stopped === null ? queue.shift() : undefined
    if (entry === undefined) return undefined
    const result = await attempt(entry.work)
    note(entry, result)
    return result.outcome
  }
  while (done.length < canary && (await runNext()) !== undefined);
  isProven = true
  const worker = async (): Promise<void> => {
    while ((await runNext()) !== undefined);
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  return { done, skipped, busy, failed, notReached: queue.map(({ name }) => name), stopped }
}
