import type { Knex } from 'knex'

const numbers = new WeakMap<object, number>()
let count = 0

/** Returns a text that is the same for configurations whose new connections are equal. The caller compares the target. */
export function connectionKey({ client, version, pool }: Knex.Config, target: unknown): string {
  return JSON.stringify([target, client, version, pool?.afterCreate].map(numbered))
}

// Functions and objects are equal only to themselves.
function numbered(value: unknown): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return value ?? null
  const number = numbers.get(value) ?? ++count
  numbers.set(value, number)
  return { number }
}
