import { AsyncLocalStorage } from 'node:async_hooks'

/**
 * Returns a storage that every copy of this package in the process shares, because a migration may load another copy
 * than the one that runs it.
 *
 * @example const migration = sharedStorage<string>('migration')
 */
export function sharedStorage<Value>(name: string): AsyncLocalStorage<Value> {
  const key = Symbol.for(`knex-pgvector.${name}`)
  const shared = globalThis as unknown as Record<symbol, AsyncLocalStorage<Value> | undefined>
  return (shared[key] ??= new AsyncLocalStorage<Value>())
}
