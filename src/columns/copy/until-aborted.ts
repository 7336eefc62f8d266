import { newInterruption } from '../../core/interruption.ts'

/** Passes values on until the signal aborts, also while the next one is awaited; then throws the reason of the signal. */
export async function* untilAborted<Value>(
  values: AsyncIterable<Value> | Iterable<Value>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Value> {
  if (signal === undefined) return yield* values
  signal.throwIfAborted()
  const { interrupt, during } = newInterruption()
  const onAbort = (): void => interrupt(signal.reason)
  signal.addEventListener('abort', onAbort)
  const iterator = Symbol.asyncIterator in values ? values[Symbol.asyncIterator]() : values[Symbol.iterator]()
  let isDone = false
  try {
    for (;;) {
      const next = await during(iterator.next())
      if (next.done === true) break
      yield next.value
    }
    isDone = true
  } finally {
    signal.removeEventListener('abort', onAbort)
    // The source may still be waiting for its next value, so nothing waits for it.
    if (!isDone) void Promise.resolve(iterator.return?.()).catch(() => undefined)
  }
}
