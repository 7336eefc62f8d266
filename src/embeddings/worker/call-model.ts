import { setTimeout as sleep } from 'node:timers/promises'

import { errorMessage } from '../../core/errors.ts'
import { millisecondsOf } from '../../core/durations.ts'
import { millisecondsText } from '../../core/time-text.ts'
import type { Embed } from '../embedding.ts'
import type { WorkRow } from './work-source.ts'

/** How the model is called. */
export interface Model {
  readonly embed: Embed<Readonly<Record<string, unknown>>>
  readonly attempts: number
  readonly retryDelay: number
  readonly timeout: number
  /** Aborts when the worker is to stop. */
  readonly signal: AbortSignal
  readonly onRetry: (attempt: number, milliseconds: number, error: unknown) => void
}

/** What the model returned for each row, or why it failed; null if the worker was stopped in the meantime. */
export type Called = { readonly values: readonly unknown[] } | { readonly error: unknown } | null

const LONGEST_PAUSE = 60_000
// A model that ignores the signal gets this long to finish a batch that is paid for.
const GRACE = 10_000

/** Calls the model for a batch, up to so many times. A rate limit costs no attempt, because it says nothing about the rows. */
export async function callModel(model: Model, rows: readonly WorkRow[], attempts = model.attempts): Promise<Called> {
  for (let attempt = 1; ;) {
    if (model.signal.aborted) return null
    try {
      return { values: await callOnce(model, rows) }
    } catch (error) {
      if (model.signal.aborted) return null
      // The same rows would get the same answer.
      if (isWrongAnswer(error)) return { error }
      const wanted = retryAfterOf(error)
      if (wanted === null && attempt === attempts) return { error }
      if (wanted === null) attempt++
      const pause = wanted ?? pauseBefore(attempt, model.retryDelay)
      model.onRetry(attempt, pause, error)
      await sleep(pause, undefined, { signal: model.signal }).catch(() => undefined)
    }
  }
}

/** Returns the pause before an attempt: it doubles each time, and varies so that workers do not call in step. */
export function pauseBefore(attempt: number, first: number): number {
  return Math.round(Math.min(LONGEST_PAUSE, first * 2 ** (attempt - 2)) * (0.5 + Math.random() / 2))
}

async function callOnce({ embed, timeout, signal }: Model, rows: readonly WorkRow[]): Promise<readonly unknown[]> {
  const over = new AbortController()
  const ended = new AbortController()
  const stop = (): void => ended.abort(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    const values: unknown = await Promise.race([
      embed(
        rows.map(({ row }) => row),
        { signal: ended.signal },
      ),
      failAfter(timeout, over.signal, ended),
      failAfterStop(signal, over.signal),
    ])
    if (Array.isArray(values) && values.length === rows.length) return values
    const got = Array.isArray(values) ? `${values.length} values` : 'no list'
    throw new WrongAnswer(`embed returned ${got} for ${rows.length} rows`)
  } finally {
    over.abort()
    signal.removeEventListener('abort', stop)
  }
}

async function failAfter(milliseconds: number, over: AbortSignal, late: AbortController): Promise<never> {
  await sleep(milliseconds, undefined, { signal: over })
  const error = new Error(`embed did not answer within ${millisecondsText(milliseconds)}`)
  late.abort(error)
  throw error
}

async function failAfterStop(signal: AbortSignal, over: AbortSignal): Promise<never> {
  if (!signal.aborted) {
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => resolve(), { once: true, signal: over })
      over.addEventListener('abort', () => reject(new Error('the call has ended')), { once: true })
    })
  }
  await sleep(GRACE, undefined, { signal: over })
  throw new Error('the worker was stopped, and embed did not answer')
}

/** Returns the pause that an error asks for, in milliseconds; null if it asks for none. */
export function retryAfterOf(error: unknown): number | null {
  const { retryAfter } = (typeof error === 'object' && error !== null ? error : {}) as { readonly retryAfter?: unknown }
  if (typeof retryAfter === 'number' && retryAfter >= 0 && Number.isFinite(retryAfter)) return retryAfter
  if (retryAfter instanceof Date) return Math.max(0, retryAfter.getTime() - Date.now())
  if (typeof retryAfter !== 'string') return null
  // The header Retry-After has seconds.
  return /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) * 1000 : millisecondsOf(retryAfter)
}

class WrongAnswer extends Error {}

/** Whether the model answered, but not with a list of as many vectors as rows. */
export function isWrongAnswer(error: unknown): boolean {
  return error instanceof WrongAnswer
}

/** Returns what a failed call is reported as. */
export function failureText(error: unknown, attempts: number): string {
  return `embed failed ${attempts === 1 ? '' : `${attempts} times in a row, the last time `}with: ${errorMessage(error)}`
}
